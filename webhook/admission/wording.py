"""What migguard itself says to people, in every language that ``spec.language`` of Parameters can name.

The policies' own words stand in the policies. Inside of a Japanese answer, why something could not be known stays in
English: it is for whoever runs migguard, and is found in the log in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """Everything that is said in one language; names in braces are filled in with ``str.format``."""

    refused: str
    """Before the one reason: ``subject``, ``policy``."""
    refused_for_reasons: str
    """Above a list: ``subject``, ``policy``, ``reasons`` (a number)."""
    refused_by_many: str
    """Above a list: ``subject``, ``policies`` (a number)."""
    not_judged: str
    """Why a policy refuses that could not be judged: ``why``."""
    policy_not_judged: str
    """The same as a warning: ``policy``, ``why``."""
    undecided: str
    """Nothing could be judged: ``subject``, ``why``."""
    next_step: str
    """Before what to do."""
    try_again: str
    """What to do where something could not be judged."""
    policy: str
    """Before a warning: ``policy``."""
    decision: str
    """The last line: ``id``."""
    stop: str
    """Ends a sentence."""
    space: str
    """Between two sentences on one line."""


PHRASES: Mapping[str, Phrases] = MappingProxyType(
    {
        "en": Phrases(
            refused="{subject} was refused by policy {policy}: ",
            refused_for_reasons="{subject} was refused by policy {policy}, for {reasons} reasons:",
            refused_by_many="{subject} was refused by {policies} policies:",
            not_judged="it could not be judged: {why}",
            policy_not_judged="policy {policy} could not be judged: {why}",
            undecided="{subject} could not be judged, so it was refused: {why}",
            next_step="Next step: ",
            try_again="try again; if it stays, show this to whoever runs migguard",
            policy="policy {policy}: ",
            decision="(decision {id})",
            stop=".",
            space=" ",
        ),
        "ja": Phrases(
            refused="{subject} はポリシー {policy} により拒否されました: ",
            refused_for_reasons="{subject} はポリシー {policy} により、{reasons} 件の理由で拒否されました:",
            refused_by_many="{subject} は {policies} 件のポリシーにより拒否されました:",
            not_judged="判定できませんでした: {why}",
            policy_not_judged="ポリシー {policy} は判定できませんでした: {why}",
            undecided="{subject} は判定できなかったため、拒否されました: {why}",
            next_step="対処方法: ",
            try_again="もう一度実行してください。解消しない場合は、migguard の管理者に知らせてください",
            policy="ポリシー {policy}: ",
            decision="(判定 ID: {id})",
            stop="。",
            space="",
        ),
    }
)


def phrases_of(parameters: Mapping[str, Any]) -> Phrases:
    """Return what is said in the language of these Parameters."""
    return PHRASES[parameters["language"]]
