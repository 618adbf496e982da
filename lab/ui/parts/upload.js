// The uploader: a file goes straight from the disk of the browser to the disk of the lab, with progress and cancel.
// Called again whenever its data change; what is going on is kept on the element.

const MEBI = 1024 * 1024;

function cookie(name) {
  const found = document.cookie.split("; ").find((entry) => entry.startsWith(name + "="));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function size(bytes, language) {
  const show = (value, digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  if (bytes < 1024) return show(bytes, 0) + " B";
  if (bytes < MEBI) return show(bytes / 1024, 0) + " KiB";
  if (bytes < 1024 * MEBI) return show(bytes / MEBI, 1) + " MiB";
  return show(bytes / (1024 * MEBI), 2) + " GiB";
}

function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  const words = data.words;
  const find = (name) => root.querySelector("[data-part=" + name + "]");
  const [area, input, choose, going, bar, cancel] = ["area", "input", "choose", "going", "bar", "cancel"].map(find);
  root.labUpload = root.labUpload || { request: null };
  const state = root.labUpload;

  find("call").textContent = words.call;
  find("limits").textContent = words.limits;
  choose.textContent = words.choose;
  cancel.textContent = words.cancel;
  input.setAttribute("aria-label", words.call);
  bar.setAttribute("aria-label", words.going);

  function show(on) {
    area.hidden = on;
    going.hidden = !on;
  }

  function say(sentence, calm) {
    find("problem").classList.toggle("calm", Boolean(calm));
    find("problem").textContent = sentence;
    find("problem").hidden = !sentence;
  }

  function ended(sentence, calm) {
    state.request = null;
    input.value = "";
    show(false);
    say(sentence, calm);
    choose.focus();
  }

  function progress(event) {
    const share = event.total ? event.loaded / event.total : 0;
    const percent = Math.floor(100 * share);
    find("fill").style.width = 100 * share + "%";
    bar.setAttribute("aria-valuenow", String(percent));
    const values = { done: size(event.loaded, data.language), all: size(event.total, data.language), percent };
    find("amount").textContent = share < 1 ? fill(words.amount, values) : words.closing;
  }

  function answered(request) {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch (_) {
      answer = {};
    }
    if (request.status === 200 && answer.upload) {
      find("amount").textContent = words.done;
      setTriggerValue("uploaded", answer.upload);
      return;
    }
    ended("");
    setTriggerValue("refused", answer.error || { template: "" });
  }

  function send(file) {
    say("");
    setTriggerValue("refused", null);
    find("name").textContent = file.name;
    if (file.size > data.most) return ended(fill(words.large, { size: size(data.most, data.language) }));
    if (!file.size) return ended(words.empty);
    const request = new XMLHttpRequest();
    state.request = request;
    show(true);
    progress({ loaded: 0, total: file.size });
    cancel.focus();
    request.upload.addEventListener("progress", progress);
    request.addEventListener("load", () => answered(request));
    request.addEventListener("error", () => ended(words.broken));
    request.addEventListener("abort", () => ended(words.cancelled, true));
    request.open("POST", data.address);
    request.setRequestHeader("X-Xsrftoken", cookie("_streamlit_xsrf"));
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  }

  choose.onclick = () => input.click();
  cancel.onclick = () => state.request && state.request.abort();
  input.onchange = () => input.files[0] && send(input.files[0]);
  area.ondragover = (event) => {
    event.preventDefault();
    area.classList.add("over");
  };
  area.ondragleave = () => area.classList.remove("over");
  area.ondrop = (event) => {
    event.preventDefault();
    area.classList.remove("over");
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  };
  show(Boolean(state.request));

  return () => {
    if (state.request) state.request.abort();
  };
}
