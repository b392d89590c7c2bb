"""Tell which column of an import each heading of a sheet stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from models.store.errors import Invalid

CODE = "code"
NEAR = 0.7
"""How alike a heading and a column must be for the one to be proposed for the other."""
ELSEWHERE = {
    CODE: (
        *("codes", "coupon", "coupons", "couponcode", "couponcodes", "voucher", "vouchers"),
        *("vouchercode", "promo", "promocode", "promotioncode", "discountcode", "giftcode"),
    ),
    "value": ("discount", "amount", "couponamount", "discountamount", "discountvalue", "percent"),
    "type": ("discounttype", "kind"),
    "status": ("state",),
    "active": ("enabled", "isactive"),
    "expires": (
        *("expiry", "expiration", "expirydate", "expirationdate", "expiresat", "expiresdate"),
        *("enddate", "endsat", "endson", "validto", "validtill", "validuntil", "validityend"),
        "dateexpires",
    ),
    "uses": ("timesused", "usecount", "usagecount", "numusage", "redemptions", "timesredeemed"),
    "max_usage": ("maxuses", "uselimit", "maxredemptions", "timestouse", "usagelimittotal"),
    "max_client_usage": (
        *("maxusespercustomer", "maxusesperuser", "maxusesperclient", "usespercustomer"),
        *("usesperuser", "usesperclient", "usagelimitpercustomer", "usagelimitperuser"),
        *("limitperuser", "limitpercustomer", "limitperclient", "maxusagepercustomer"),
    ),
    "min_cart_amount": (
        *("minamount", "minimumamount", "minspend", "minimumspend", "minorder", "minimumorder"),
        *("minpurchase", "minimumpurchase", "minimumordervalue"),
    ),
    "notes": ("description", "comment", "comments", "note"),
    "products": ("productids", "productid"),
    "categories": ("categoryids", "categoryid", "productcategories"),
}
"""How other programs call a column, in small letters alone."""
_PROPOSED = {name: column for column, names in ELSEWHERE.items() for name in names}


@dataclass(frozen=True)
class Layout:
    """Say how a sheet is laid out.

    `known` are the columns that there can be. `renamed` are headings and the columns that they
    stand for, "" for a column that is left out, and with `ignore_others` all are that are not
    known. Without a `header` each line is a code; None is to find out.
    """

    known: Collection[str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    ignore_others: bool = False
    header: bool | None = None

    def columns(self, headings: Sequence[str]) -> list[str]:
        """Return the column of each heading, "" for one that is left out; unknown ones stay."""
        renamed = {plain(heading): column for heading, column in self.renamed.items()}
        taken = {renamed[plain(each)] for each in headings if plain(each) in renamed}
        found = []
        for heading in map(plain, headings):
            column = renamed.get(heading, heading)
            beside = heading not in renamed and heading in taken
            if self.ignore_others and (beside or column not in self.known):
                column = ""
            found.append(column)
        return found

    def checked(self, line: int, headings: Sequence[str]) -> list[str]:
        """Return the same. Raises Invalid for headings of no use, with what to do about them."""
        columns, there = self.columns(headings), [*map(plain, headings)]
        absent = [each for each in self.renamed if plain(each) not in there]
        if absent:
            raise Invalid(
                f"line {line}: --map names {quoted(absent)}, but the headings are "
                f"{quoted(headings)}"
            )
        unknown = [
            heading
            for heading, column in zip(headings, columns, strict=True)
            if column and column not in self.known
        ]
        if CODE not in columns:
            raise Invalid(
                f"line {line}: must be a header with a column {CODE}: it has {quoted(headings)}"
                f"{self._advice(unknown)}"
            )
        wanted = [each for each in columns if each]
        if len(set(wanted)) < len(wanted) or ("" in there and not self.ignore_others):
            raise Invalid(f"line {line}: every column must have a name of its own")
        if unknown:
            raise Invalid(
                f"line {line}: there is no column {', '.join(unknown)}{self._advice(unknown)}; "
                "--ignore-other-columns leaves out what is not known; "
                f"there are {', '.join(self.known)}"
            )
        return columns

    def proposal(self, heading: str) -> str | None:
        """Return the column that a heading may stand for."""
        letters = "".join(each for each in plain(heading) if each.isalnum())
        by_letters = {name.replace("_", ""): name for name in self.known} | _PROPOSED
        near = get_close_matches(letters, by_letters, 1, NEAR)
        return by_letters[near[0]] if near and by_letters[near[0]] in self.known else None

    def is_heading(self, text: str) -> bool:
        """Tell whether the only cell of a first line looks like a heading, not like a code."""
        wordy = " " in text or text != text.upper()
        return bool(self.proposal(text)) or (wordy and not any(map(str.isdigit, text)))

    def _advice(self, headings: Sequence[str]) -> str:
        found = {each: self.proposal(each) for each in headings}
        maps = [f'--map "{each}={column}"' for each, column in found.items() if column]
        return f" (did you mean {' '.join(maps)}?)" if maps else ""


def plain(heading: str) -> str:
    """Return a heading as it is compared: without blanks around it and regard to case."""
    return unicodedata.normalize("NFC", heading).strip().casefold()


def quoted(headings: Sequence[str]) -> str:
    """Return headings as a list for people, the first 20 of them."""
    shown = ", ".join(f'"{each.strip()[:100]}"' for each in headings[:20])
    return f"{shown}, …" if len(headings) > 20 else shown
