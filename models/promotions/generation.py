"""Generate the codes of a batch, exactly as many as were requested."""

from __future__ import annotations

import string
from array import array
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from itertools import compress, count, islice

from peewee import fn

from models.promotions import batches, campaign_counts, coupons, event_facts
from models.promotions.batches import Batch
from models.promotions.coupons import CODE_LENGTH, Coupon
from models.store import clock, counters, visibility
from models.store.base import change, retried
from models.store.errors import Conflict, Invalid, NotFound
from models.store.texts import code_form, code_problem
from models.webhooks.webhooks import BATCH_READY

ALPHABETS = {
    1: string.ascii_letters + string.digits,
    2: string.ascii_uppercase + string.digits,
    3: string.ascii_letters,
    4: string.ascii_uppercase,
    5: string.digits,
}
"""The characters that are drawn, by complexity."""
CLEAR = 0
"""The complexity of campaign codes, without look-alike characters; no legacy call offers it."""
CLEAR_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
SHARE = 1_000_000
"""A batch that is not dense fills at most one SHARE-th of its space, so codes stay unguessable."""
LISTABLE = 1 << 24
"""The largest space whose free codes are listed when draws clash too often: a byte for each."""
CHUNK = 50_000
"""Codes in one transaction: other writers wait for as long as one takes."""
SPARE = 64
"""Codes drawn beyond those that are missing, for the ones that clash."""
CROWDED = 8
"""Draws clash too often when fewer than one in so many is new."""


def alphabet(complexity: int) -> str:
    """Return the characters that codes of this complexity are drawn from. Raises Invalid."""
    if complexity == CLEAR:
        return CLEAR_LETTERS
    if complexity not in ALPHABETS:
        raise Invalid(f"The complexity must be from {min(ALPHABETS)} to {max(ALPHABETS)}")
    return ALPHABETS[complexity]


def folded(letters: str) -> dict[str, str]:
    """Return the letters of each kind: codes that differ in case alone are one."""
    kinds = dict.fromkeys(letters.lower())
    return {kind: "".join(each for each in letters if each.lower() == kind) for kind in kinds}


def draw(count: int, letters: str, length: int) -> list[str]:
    """Return `count` texts of `length` characters, each of `letters` as likely as any other.

    `letters` are ASCII; the same text may come twice.
    """
    # A byte past the last whole multiple of the alphabet would favour its first letters.
    fair = 256 - 256 % len(letters)
    letter_of = bytes(ord(letters[byte % len(letters)]) for byte in range(256))
    unfair = bytes(range(fair, 256))
    wanted = count * length
    drawn = b""
    while len(drawn) < wanted:
        missing = wanted - len(drawn)
        drawn += clock.random_bytes(missing * 256 // fair + 16).translate(letter_of, unfair)
    text = drawn.decode("ascii")
    return [text[start : start + length] for start in range(0, wanted, length)]


def shuffled(numbers: MutableSequence[int]) -> Iterator[int]:
    """Yield all the numbers, every order being as likely as any other; the sequence is used up."""
    while numbers:
        at = clock.random_below(len(numbers))
        numbers[at], numbers[-1] = numbers[-1], numbers[at]
        yield numbers.pop()


def check_room(prefix: str, complexity: int, length: int, size: int, dense: bool) -> None:
    """Check that `size` more codes can be drawn; `length` counts the drawn characters only.

    A dense batch may take all free codes, of a space over LISTABLE as many as leave half of it
    free. Raises Invalid.
    """
    letters = "".join(folded(alphabet(complexity)))
    if size < 1 or length < 1:
        raise Invalid("The size and the length must be 1 or more")
    if prefix and code_problem(prefix):
        raise Invalid(f"The prefix {code_problem(prefix)}")
    if len(prefix) + length > CODE_LENGTH:
        raise Invalid(
            f"Prefix and length make codes of {len(prefix) + length} characters, "
            f"{CODE_LENGTH} is the most: use a shorter --prefix or --length"
        )
    space = len(letters) ** length
    if size * SHARE <= space:
        return
    if not dense:
        raise Invalid(_too_small(prefix, letters, length, size))
    room = space if space <= LISTABLE else space // 2
    if size + counters.coupons_of_all() > room:
        room = max(0, room - sum(1 for _ in _taken(prefix, letters, length)))
        if size > room:
            raise Invalid(
                f"Only {room:,} more codes can be made of {length} characters of complexity "
                f"{complexity} after this prefix, not {size:,}: use a longer --length"
            )


def fill(
    batch: Batch, on_progress: Callable[[int], object] = lambda codes: None, chunk: int = CHUNK
) -> None:
    """Make codes until the batch has as many as were requested, `chunk` in each transaction.

    Several processes may fill one batch, and one that was killed is finished by the next.
    `on_progress` is told how many codes came since it was last told. Raises Conflict when other
    batches took the codes meanwhile or the batch is archived, NotFound when it is gone.
    """
    left: Iterator[str] | None = None
    while not batch.complete:
        letters = alphabet(batch.complexity)
        wanted = min(chunk, batch.requested - batch.made)
        # Drawn before the transaction begins, so that other writers come between two chunks.
        ends = list(islice(left, wanted)) if left else draw(wanted + SPARE, letters, batch.length)
        if not ends:
            raise _used_up(batch)
        before = batch.made
        tried, new = _store(batch, [batch.prefix + end for end in ends], chunk)
        on_progress(batch.made - before)
        if left is None and not batch.complete and new * CROWDED < tried:
            left = _remaining(batch, letters)


def _too_small(prefix: str, letters: str, length: int, size: int) -> str:
    space = len(letters) ** length
    enough = next(n for n in count(length) if len(letters) ** n >= size * SHARE)
    cure = f"use --length {enough} or more"
    if len(prefix) + enough > CODE_LENGTH:
        cure += f" (with a prefix of {max(0, CODE_LENGTH - enough)} characters at most)"
    return (
        f"{length} characters make only {space:,} codes, and a batch of {size:,} may fill "
        f"a millionth of them at most: {cure}, or --dense to fill more"
    )


@retried
def _store(batch: Batch, codes: Sequence[str], chunk: int) -> tuple[int, int]:
    """Add up to `chunk` missing codes in one transaction; return how many were tried and new."""
    tried = new = wanted = 0
    with change():
        # A change comes first: on every engine it holds the batch for this transaction.
        unfinished = Batch.update(updated_at=clock.now()).where(
            Batch.id == batch.id, Batch.made < Batch.requested
        )
        held = unfinished.execute()
        stored = Batch.get_or_none(Batch.id == batch.id)
        if stored is None:
            raise NotFound(f"There is no batch {batch.id}", "batch_not_found")
        if held:
            if not stored.live:  # its codes would be live, those that it has are not
                raise Conflict("The batch is archived: set it active again first", "batch_archived")
            wanted = min(stored.requested - stored.made, chunk)
        while new < wanted and tried < len(codes):
            some = codes[tried : tried + wanted - new]
            new += insert(batch, some)
            tried += len(some)
        if new and stored.made + new >= stored.requested:
            count = stored.coupons_count + new
            event_facts.tell_of_batch(BATCH_READY, batch.id, batch.realm, {"codes": count})
    batch.requested, batch.made = stored.requested, stored.made + new
    return tried, new


def insert(batch: Batch, codes: Sequence[str]) -> int:
    """Insert and count those of the codes that no live coupon has; return how many."""
    new = coupons.insert(
        ("code", "form"),
        [(code, code_form(code)) for code in codes],
        skip_live=True,
        batch_id=batch.id,
        terms=batch.terms_id,
        live=visibility.environment(batch.realm),
        realm=batch.realm,
    )
    if new:
        batches.bump(batch.id, made=Batch.made + new, coupons_count=Batch.coupons_count + new)
        counters.add(counters.of_coupons(batch.realm), new)
        campaign_counts.count_codes(batch.id, total=new)
    return new


def _taken(prefix: str, kinds: str, length: int) -> Iterator[str]:
    """Yield what follows the prefix in the form of every live code that is made so."""
    head = (code_form(f"{prefix}0") or "0")[:-1]
    forms = Coupon.select(Coupon.form).where(
        Coupon.live.is_null(False), fn.SUBSTR(Coupon.form, 1, len(head)) == head
    )
    for (form,) in forms.tuples().iterator():
        end = form[len(head) :]
        # Engines differ in whether they tell cases apart and count characters or bytes.
        if len(end) == length and form.startswith(head) and not end.strip(kinds):
            yield end


def _remaining(batch: Batch, letters: str) -> Iterator[str]:
    """Return what can follow the prefix in a code that is free, in the order of a fair shuffle.

    Raises Conflict for a space that is too large to be listed.
    """
    letters_of = folded(letters)
    kinds = "".join(letters_of)
    base = len(kinds)
    space = base**batch.length
    if space > LISTABLE:
        raise _used_up(batch)
    free = bytearray(b"\1") * space
    digit_of = {kind: digit for digit, kind in enumerate(kinds)}
    for end in _taken(batch.prefix, kinds, batch.length):
        number = 0
        for letter in end:
            number = number * base + digit_of[letter]
        free[number] = 0
    places = [base**power for power in reversed(range(batch.length))]
    return (
        "".join([_one_of(letters_of[kinds[number // place % base]]) for place in places])
        for number in shuffled(array("I", compress(range(space), free)))
    )


def _one_of(letters: str) -> str:
    return letters[clock.random_below(len(letters))] if len(letters) > 1 else letters


def _used_up(batch: Batch) -> Conflict:
    return Conflict(
        f"The codes with this prefix and length are used up: batch {batch.id} has "
        f"{batch.made:,} of {batch.requested:,}",
        "codes_used_up",
    )
