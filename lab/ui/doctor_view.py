"""The plan doctor: a setup entered or imported, and what there is to say about each part of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lab.catalogue.doctor import Report, examine
from lab.catalogue.doctor_parts import Disagreement, Finding, Said
from lab.ui import doctor_table, plan_findings, setup_import
from lab.ui.estimate import Estimate
from lab.ui.format import tidy_exponents
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card, verdict_icon

_LEVELS = ("error", "warning", "info")


def doctor(now: Estimate) -> None:
    """The way in for a setup of another tool, then the findings, the ranges, and who did alike."""
    setup_import.importer()
    plan_findings.former_values()
    for problem in filter(None, (now.model_error, now.data_error)):
        error_card(problem)
    report = examine(now.spec, now.made, imported=setup_import.taken())
    st.markdown(_standing(report))
    for index, finding in enumerate(report.findings):
        _card(finding, index)
    if report.rows:
        st.subheader(_("Each value in its usual range"), anchor=False)
        st.html(doctor_table.ranges(report.rows))
    doctor_table.neighbours(report.nearest)
    if report.disagreements:
        st.subheader(_("Where the sources disagree"), anchor=False)
        with st.container(gap="xxsmall"):
            _disagreements(report.disagreements)


def _standing(report: Report) -> str:
    """How many findings of each level there are, in words."""
    counts = {level: sum(finding.level == level for finding in report.findings) for level in _LEVELS}
    parts = []
    if counts["error"]:
        parts.append(f":red[:material/error:] {ngettext('{count} error', '{count} errors', counts['error'])}")
    if counts["warning"]:
        text = ngettext("{count} warning", "{count} warnings", counts["warning"])
        parts.append(f":orange[:material/warning:] {text}")
    if counts["info"]:
        parts.append(f":gray[:material/info:] {ngettext('{count} remark', '{count} remarks', counts['info'])}")
    return "  ".join(parts) or f":green[:material/check_circle:] {_('Nothing to object to.')}"


def _card(finding: Finding, index: int) -> None:
    """One finding: what it is, where that comes from, why the suggestion, and the button that applies it."""
    with st.container(border=True, key=f"finding-{index}"):
        with st.container(horizontal=True, gap="small"):
            st.markdown(verdict_icon(finding.level), width="content")
            with st.container(gap=None, width="stretch"):
                st.text(_sentence(finding.what))
                if finding.error_number:
                    st.caption(_("Number {number} of the documents' common errors.", number=finding.error_number))
                if finding.what.source:
                    st.caption(_("Source: {source}", source=_(finding.what.source)))
        if finding.suggestion:
            _answer(finding, index)


def _answer(finding: Finding, index: int) -> None:
    if finding.suggestion is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            plan_findings.change_in_words(finding.suggestion.change),
            key=f"doctor-apply-{index}",
            icon=":material/check:",
            on_click=plan_findings.apply,
            args=(finding.suggestion.change,),
        )
        st.caption(_sentence(finding.suggestion.reason), width="stretch")


def _disagreements(found: Sequence[Disagreement]) -> None:
    for index, entry in enumerate(found):
        with st.expander(_(entry.topic), type="compact", icon=":material/compare_arrows:", key=f"disagree-{index}"):
            for side in entry.sides:
                st.text(_sentence(side))
                if side.source:
                    st.caption(_("Source: {source}", source=_(side.source)))
            st.text(_("Shown here: {what}", what=_sentence(entry.shown)))


def _sentence(said: Said) -> str:
    return tidy_exponents(say(said.as_dict()))
