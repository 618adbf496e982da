"""The kinds of data, the roles of columns in them, and the names that columns go by, English and French."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

# Every kind that the readers write; which task trains on which kind is the task's to say.
TRAINABLE = (
    *("instruction", "question-answer", "prompt-completion", "messages", "text"),
    *("classification", "token-classification", "extractive-qa", "preference"),
)


@dataclass(frozen=True)
class Role:
    """What a column is for; `names` are the whole names that it is known by, the surest first.

    `holds` tells what its values are: text, messages (a list of turns), list, truth, or any.
    """

    name: str
    names: tuple[str, ...]
    needed: bool = True
    holds: str = "text"


@dataclass(frozen=True)
class Kind:
    """A kind of data and its roles."""

    name: str
    roles: tuple[Role, ...]

    @property
    def role_names(self) -> tuple[str, ...]:
        """The names of its roles."""
        return tuple(role.name for role in self.roles)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_QUESTION = _names("question questions questiontext questionbody questiontitle query requete demande q")
_ANSWER = _names("answer answers reponse reponses response responses answertext answerbody solution output sortie a")
_CONTEXT = _names("context contexte passage document")
_OUTPUT = _names("output outputs sortie sorties response responses reponse reponses answer target cible completion")
_MESSAGES = _names("messages conversations conversation dialogue dialog discussion chat turns echanges")
_TEXT = _names("text texte content contenu document article body sentence phrase review tweet avis commentaire story")
_LABEL = _names("label labels etiquette etiquettes classe class category categorie sentiment intent polarity polarite")

_DESIRED = _names("label kto thumbsup desired desirable")
_SYSTEM = Role("system", _names("system systemprompt systeme"), needed=False)

# A row may name its own part of a split.
SPLIT = Role("split", _names("split partition subset"), needed=False, holds="any")

# In the order in which they are tried: the first kind whose needed roles are all found wins.
KINDS = (
    Kind(
        "preference",
        (
            Role("chosen", _names("chosen preferred prefere accepted"), holds="any"),
            Role("rejected", _names("rejected dispreferred rejete refused"), holds="any"),
            Role(
                "prompt",
                _names("prompt question instruction conversations messages"),
                needed=False,
                holds="any",
            ),
            _SYSTEM,
        ),
    ),
    Kind(
        "preference",
        (
            Role("messages", _MESSAGES, holds="messages"),
            Role("label", _DESIRED, holds="truth"),
            _SYSTEM,
        ),
    ),
    Kind(
        "preference",
        (
            Role("prompt", _names("prompt invite amorce"), holds="any"),
            Role("completion", _names("completion response reponse suite"), holds="any"),
            Role("label", _DESIRED, holds="truth"),
            _SYSTEM,
        ),
    ),
    Kind(
        "messages",
        (
            Role("messages", _MESSAGES, holds="messages"),
            _SYSTEM,
            Role("tools", _names("tools functions outils"), needed=False, holds="any"),
        ),
    ),
    Kind(
        "token-classification",
        (
            Role("tokens", _names("tokens words mots"), holds="list"),
            Role("tags", _names("tags nertags labels etiquettes"), holds="list"),
        ),
    ),
    Kind(
        "extractive-qa",
        (
            Role("context", _CONTEXT),
            Role("question", _QUESTION),
            Role("answers", _names("answers answer reponses"), holds="list"),
            Role("id", _names("id questionid qid identifiant"), needed=False),
            Role("impossible", _names("isimpossible impossible"), needed=False, holds="truth"),
        ),
    ),
    Kind(
        "instruction",
        (
            Role("instruction", _names("instruction instructions consigne consignes directive")),
            Role("input", _names("input inputs entree entrees context contexte"), needed=False),
            Role("output", _OUTPUT),
        ),
    ),
    Kind(
        "question-answer",
        (Role("question", _QUESTION), Role("context", _CONTEXT, needed=False), Role("answer", _ANSWER)),
    ),
    Kind(
        "prompt-completion",
        (
            Role("prompt", _names("prompt prompts invite amorce input entree intent source")),
            Role("completion", _names("completion completions suite") + _OUTPUT + _names("snippet code")),
        ),
    ),
    Kind(
        "classification",
        (
            Role("text", _names("sentence1 premise question1 text1 texta phrase1")),
            Role("text_pair", _names("sentence2 hypothesis question2 text2 textb phrase2")),
            Role("label", _LABEL, holds="any"),
        ),
    ),
    Kind(
        "classification",
        (
            Role("text", _TEXT),
            Role("text_pair", _names("textpair"), needed=False),
            Role("label", _LABEL, holds="any"),
        ),
    ),
    Kind("text", (Role("text", _TEXT),)),
)


def kinds_named(name: str) -> tuple[Kind, ...]:
    """The ways in which a kind of data may look."""
    return tuple(kind for kind in KINDS if kind.name == name)


@cache
def folded(name: str) -> str:
    """A column's name as names are compared: whole, without case, accents, blanks and punctuation."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if letter.isalnum())


def known_name(name: str) -> bool:
    """Whether some role goes by this name."""
    return folded(name) in _KNOWN


_KNOWN = frozenset(name for kind in KINDS for role in kind.roles for name in role.names) | frozenset(SPLIT.names)
