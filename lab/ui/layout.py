"""The few shapes that every screen is made of: head, facts, cards for the states, text of others."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from lab.errors import InputErrors, LabError
from lab.ui.language import _, address_of_language, error_parts
from lab.ui.theme import is_dark

FACT_WIDTH = 118

# The one style sheet: what Streamlit's theme cannot say. Only our own keyed elements are touched.
_STYLE = """
<style>
[class*="st-key-fact-"] p { line-height: 1.3; }
.lab-said { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; }
.lab-muted { opacity: .72; }
.lab-tokens { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.75; font-size: .93rem; }
.lab-trained { background: color-mix(in srgb, #0F766E 24%, transparent); border-radius: 3px; padding: 1px 0;
  box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.lab-end { border: 1px solid currentColor; border-radius: 4px; font-size: .72rem; padding: 0 4px; opacity: .8; }
.lab-answers { width: 100%; border-collapse: collapse; font-size: .93rem; }
.lab-answers th { text-align: left; font-weight: 500; opacity: .7; font-size: .85rem; }
.lab-answers td, .lab-answers th { padding: .3rem .6rem .3rem 0; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.lab-answers td:first-child { width: 4.2rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
.lab-answers td:last-child { white-space: pre-wrap; overflow-wrap: anywhere; }
.lab-answers tr.last { font-weight: 600; }
/* The theme's primary colour fills buttons under white text; as text on a dark page it cannot be read. */
button[kind="segmented_controlActive"], button[kind="pillsActive"] { color: inherit !important; }
/* The name of a switch, and of a button with several changes, takes a second line rather than being cut. */
[class*="st-key-set-"] label .stMarkdownEllipsis, [class*="st-key-set-"] label .stMarkdownEllipsis p,
[class*="st-key-doctor-apply-"] .stMarkdownEllipsis, [class*="st-key-doctor-apply-"] .stMarkdownEllipsis p {
  white-space: normal !important; overflow: visible !important; }
[class*="st-key-recipe-"] button p { text-align: left; }
@media (max-width: 640px) { .st-key-page-head > * { min-width: 100% !important; } }
.lab-flow { display: flex; flex-wrap: wrap; gap: .35rem .6rem; align-items: baseline; }
.lab-flow .done { font-weight: 500; }
.lab-flow .now { font-weight: 650; }
.lab-flow .todo { opacity: .6; }
.lab-compare { width: 100%; border-collapse: collapse; font-size: .93rem; line-height: 1.4; }
.lab-compare th, .lab-compare td { text-align: left; vertical-align: top; padding: .5rem .9rem .5rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); overflow-wrap: anywhere; }
.lab-compare thead th { font-weight: 650; padding-top: 0; }
.lab-compare tbody th { font-weight: 400; width: 24%; opacity: .8; overflow-wrap: break-word; hyphens: auto; }
.lab-compare td { width: 38%; font-variant-numeric: tabular-nums; }
.lab-compare thead td { width: 24%; }
.lab-compare small { display: block; font-size: .78rem; opacity: .75; }
.lab-compare a { color: inherit; }
.lab-wide { overflow-x: auto; }
.lab-side { min-width: 30rem; }
.lab-side td, .lab-side tbody th { width: auto; }
.lab-even { table-layout: fixed; }
.lab-even thead > tr > :first-child { width: 18%; }
.lab-compare th small { font-weight: 400; }
.lab-range { position: relative; min-width: 7rem; height: .5rem; margin: .45rem 0 .1rem; border-radius: 4px;
  background: linear-gradient(90deg, transparent 12%, color-mix(in srgb, currentColor 22%, transparent) 12% 88%,
  transparent 88%), color-mix(in srgb, currentColor 7%, transparent); }
.lab-range i { position: absolute; top: -.2rem; width: .3rem; height: .9rem; margin-left: -.15rem; border-radius: 2px; }
.lab-ends { display: flex; justify-content: space-between; font-size: .78rem; opacity: .75; padding: 0 6%; }
.lab-ranges td:first-of-type { white-space: nowrap; }
@media (max-width: 640px) {
  .lab-ranges, .lab-ranges tbody, .lab-ranges tr { display: block; min-width: 0; }
  .lab-ranges thead { display: none; }
  .lab-ranges tr { display: grid; grid-template-columns: 1fr auto; padding: .4rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
  .lab-ranges tr > * { border: 0 !important; padding: .1rem 0 !important; }
  .lab-ranges td:nth-of-type(n+2) { grid-column: 1 / -1; }
}
@media (max-width: 640px) {
  .lab-claims tr { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; }
  .lab-claims thead td { display: none; }
  .lab-claims tbody tr { padding: .4rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
  .lab-claims tbody tr > * { border: 0; padding: .1rem .6rem .1rem 0; width: auto; }
  .lab-claims tbody th { grid-column: 1 / -1; grid-row: 1; font-weight: 650; opacity: 1; }
  .lab-claims tbody td { grid-row: 2; width: auto; }
  .lab-even, .lab-even tbody, .lab-even tr, .lab-even td, .lab-even tbody th { display: block; min-width: 0; }
  .lab-even thead > tr > *:nth-child(n+2), .lab-even thead > tr:has(> td) { display: none; }
  .lab-even tr { padding: .45rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
  .lab-even tr > * { border: 0 !important; padding: .1rem 0 !important; width: auto !important; }
  .lab-even tbody th { font-weight: 650; opacity: 1; }
  .lab-even td { display: grid !important; grid-template-columns: 42% 1fr; column-gap: .6rem; }
  .lab-even td::before { content: attr(data-of); opacity: .75; font-size: .85rem; grid-row: span 3; }
  .lab-even td > * { grid-column: 2; }
}
.lab-labels tbody th { opacity: 1; }
.lab-labels thead > tr > :first-child { width: 40%; }
.lab-labels td { white-space: pre-line; }
.lab-labels details { font-size: .85rem; margin-top: .2rem; font-weight: 400; }
.lab-right { color: #15803D; }
.lab-wrong { color: #B91C1C; }
.lab-used tbody th { width: 56%; opacity: 1; }
.lab-used .used th, .lab-used .used td > span { font-weight: 600; }
.lab-used tbody th small { font-weight: 400; }
.lab-column-head { font-weight: 650; font-size: .93rem; }
.lab-check { font-size: .93rem; line-height: 1.45; display: grid; gap: .2rem; }
.lab-formula { font-size: .82rem; overflow-wrap: anywhere; white-space: pre-wrap; }
</style>
"""


# The theme's primary colour fills buttons under white text, so it has to be dark; what is written in it must not be.
_DARK_STYLE = """
<style>
button[role="radio"][aria-checked="true"], button[role="radio"][aria-checked="true"] p,
[role="tab"][aria-selected="true"] p, [data-testid="stSliderThumbValue"] { color: #5EEAD4 !important; }
button[role="radio"][aria-checked="true"] { border-color: #5EEAD4 !important; }
[role="tab"] .react-aria-SelectionIndicator { background-color: #5EEAD4 !important; }
.lab-right { color: #4ADE80; }
.lab-wrong { color: #F87171; }
</style>
"""


def style_page() -> None:
    """Add the lab's few style rules to the page."""
    st.html(_STYLE)
    if is_dark():
        st.html(_DARK_STYLE)


@contextmanager
def head(title: str, purpose: str) -> Iterator[None]:
    """Title and purpose on the left; what is drawn inside goes to the right, below on a phone."""
    with st.container(
        key="page-head",
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        gap="medium",
    ):
        with st.container(width="stretch", gap=None):
            st.title(title, anchor=False)
            st.markdown(f":gray[{purpose}]")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            yield


def title(text: str, purpose: str) -> None:
    """Title and purpose of a page without an action beside them."""
    with st.container(gap=None):
        st.title(text, anchor=False)
        st.markdown(f":gray[{purpose}]")


def facts(rows: Iterable[Sequence[str]], width: int = FACT_WIDTH) -> None:
    """A row of facts: (label, value, what to compare it with). None of them may come from a person's file."""
    with st.container(horizontal=True, gap="small"):
        for label, value, *note in rows:
            with st.container(width=width, gap=None):
                st.caption(label)
                st.markdown(f"**{value}**")
                if note and note[0]:
                    st.caption(note[0])


def said(text: str, *, muted: bool = False) -> None:
    """Text of a model or of a person's file, exactly as it is: no Markdown, no links, no images."""
    shade = " lab-muted" if muted else ""
    st.html(f'<div class="lab-said{shade}">{html.escape(text) or "&nbsp;"}</div>')


def tokens(segments: Iterable[tuple[str, bool]], *, end: bool = False) -> None:
    """A training example as the model sees it: trained tokens are marked, masked ones are not."""
    parts = []
    for text, trained in segments:
        escaped = html.escape(text)
        parts.append(f'<span class="lab-trained">{escaped}</span>' if trained else escaped)
    if end:
        parts.append(f' <span class="lab-end">{html.escape(_("end"))}</span>')
    st.html(f'<div class="lab-tokens">{"".join(parts)}</div>')


def error_card(error: LabError) -> None:
    """What happened, where, what is allowed and what to do next; several problems are listed."""
    problems: list[LabError] = list(error.problems) if isinstance(error, InputErrors) else [error]
    for problem in problems:
        what, allowed, following = error_parts(problem)
        with st.container(border=True), st.container(horizontal=True, gap="small"):
            st.markdown(":red[:material/error:]", width="content")
            with st.container(gap=None, width="stretch"):
                st.text(what)
                for line in (allowed, following):
                    if line:
                        st.text(line)
                if problem.where:
                    st.caption(_("Where:") + " `" + str(problem.where).replace("`", "'") + "`")


def empty(what: str, action: str, page: str, icon: str = ":material/arrow_forward:") -> None:
    """An empty place: what it is for, and the one thing to do."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(what, text_alignment="center")
        if st.button(action, icon=icon, type="primary", key=f"empty-{page}"):
            st.switch_page(page, query_params=address_of_language())
        st.space("small")


@contextmanager
def card(heading: str = "", *, height: str = "content") -> Iterator[None]:
    """A bordered card with an optional heading."""
    with st.container(border=True, height=height):  # type: ignore[arg-type]
        if heading:
            st.subheader(heading, anchor=False)
        yield


def verdict_icon(status: str) -> str:
    """The coloured icon of a verdict; the words beside it carry the meaning."""
    return {
        "ok": ":green[:material/check_circle:]",
        "holds": ":green[:material/check_circle:]",
        "info": ":gray[:material/info:]",
        "low": ":orange[:material/arrow_downward:]",
        "high": ":orange[:material/arrow_upward:]",
        "warning": ":orange[:material/warning:]",
        "implausible": ":orange[:material/help:]",
        "contradicts": ":orange[:material/compare_arrows:]",
        "error": ":red[:material/error:]",
        "fails": ":red[:material/cancel:]",
    }.get(status, ":gray[:material/info:]")
