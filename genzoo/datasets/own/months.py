"""Names of months and days of the week in some languages, to and from English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from genzoo.datasets.own.texts import Distinct, matches, replaced, some_of
from genzoo.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

# long names (%B), short ones (%b), long ones of days (%A), short ones (%a); others that are read
# stand behind a slash
_NAMES = {
    "en": (
        "January February March April May June July August September October November December",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "Mon Tue Wed Thu Fri Sat Sun",
    ),
    "de": (
        "Januar/Jänner Februar/Feber März/Maerz April Mai Juni Juli August September Oktober "
        "November Dezember",
        "Jan/Jän Feb Mär/Mrz Apr Mai Jun Jul Aug Sep/Sept Okt Nov Dez",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag/Sonnabend Sonntag",
        "Mo Di Mi Do Fr Sa So",
    ),
    "fr": (
        "janvier février/fevrier mars avril mai juin juillet août/aout septembre octobre novembre "
        "décembre/decembre",
        "janv/jan févr/fév/fevr/fev mars/mar avr mai juin/jun juil/jul août/aoû/aout sept/sep oct "
        "nov déc/dec",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "lun mar mer jeu ven sam dim",
    ),
    "es": (
        "enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre noviembre "
        "diciembre",
        "ene feb mar abr may jun jul ago sep/sept oct nov dic",
        "lunes martes miércoles jueves viernes sábado domingo",
        "lun mar mié jue vie sáb dom",
    ),
    "it": (
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
        "dicembre",
        "gen feb mar apr mag giu lug ago set/sett ott nov dic",
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        "lun mar mer gio ven sab dom",
    ),
    "pt": (
        "janeiro fevereiro março/marco abril maio junho julho agosto setembro outubro novembro "
        "dezembro",
        "jan fev mar abr mai jun jul ago set out nov dez",
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "seg ter qua qui sex sáb dom",
    ),
    "nl": (
        "januari februari maart april mei juni juli augustus september oktober november december",
        "jan feb mrt/maa apr mei jun jul aug sep/sept okt nov dec",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "ma di wo do vr za zo",
    ),
}
SIGNS = "BbAa"
_BEFORE, _BEHIND = r"(^|[\s.,/_-]|\d)", r"($|[\s.,/_-]|\d)"
N_LOOKED_AT = 2000  # texts that tell the language


@cache
def _names(language: str) -> dict[str, dict[str, int]]:
    """By sign: the place of each name, in lower case, in its year or week.

    Raises:
        ValueError: for a language that isn't known.
    """
    if language not in _NAMES:
        hint = did_you_mean(language, _NAMES)
        raise ValueError(f"behind '@' expected one of {', '.join(_NAMES)}; got {language!r}{hint}")
    return {
        sign: {one: i for i, name in enumerate(names.lower().split()) for one in name.split("/")}
        for sign, names in zip(SIGNS, _NAMES[language], strict=True)
    }


def _among(names: Iterable[str]) -> str:
    """The pattern of a text with one of some names in it."""
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return rf"(?i).*{_BEFORE}(?:{longest_first}){_BEHIND}.*"


def language_of(found: Distinct) -> str | None:
    """The language whose months or days stand in texts with digits, where English has no such."""
    some = some_of(found, N_LOOKED_AT)
    some = some.only(matches(some.texts, r".*\d.*\pL{2}.*|.*\pL{2}.*\d.*"))
    if 2 * len(some) < min(len(found), N_LOOKED_AT):
        return None
    counts = {
        language: int(matches(some.texts, _among(set().union(*_names(language).values()))).sum())
        for language in _NAMES
    }
    best = max(counts, key=lambda language: counts[language])  # English before others
    return best if best != "en" and 2 * counts[best] > len(some) else None


def in_english(texts: Any, language: str, form: str | None = None) -> Any:
    """Texts (u,) with English names instead; the full stops behind them go.

    Args:
        form: whose signs say whether names are long or short; short where None if a name is that
            has a long form.
    """
    names = _names(language)
    for long, short in ("Bb", "Aa"):
        only_short = set(names[short]) - set(names[long])
        is_short = f"%{short}" in form if form else matches(texts, _among(only_short)).any()
        english = _NAMES["en"][SIGNS.index(short if is_short else long)].split()
        # "mar" is a month before it is a day
        months = {*names["B"], *names["b"], *_names("en")["b"]} if long == "A" else ()
        for theirs, i in {**names[short], **names[long]}.items():
            if theirs in months:
                continue
            pattern = rf"(?i){_BEFORE}{re.escape(theirs)}\.?{_BEHIND}"
            if matches(texts, f".*{pattern}.*").any():
                texts = replaced(texts, pattern, rf"\1{english[i]}\2")
    return texts


def written(texts: pd.Series, dates: pd.Series, sign: str, mark: str, language: str) -> pd.Series:
    """Texts with the name of the month or day of each date in place of a mark."""
    names = [one.partition("/")[0] for one in _NAMES[language][SIGNS.index(sign)].split()]
    at = dates.dt.month - 1 if sign in "Bb" else dates.dt.day_of_week
    return texts.combine(at, lambda text, i: text.replace(mark, names[int(i)]))
