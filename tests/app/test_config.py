"""Settings that cannot be used are refused by name."""

from __future__ import annotations

import pytest

from app.config import BadSetting, from_environment


@pytest.mark.parametrize("text", ["5", "-1", "two", "2.0", "", "10"])
def test_a_currency_has_so_many_places_at_most(text: str) -> None:
    with pytest.raises(BadSetting, match="PROMOBRIDGE_AMOUNT_PLACES"):
        from_environment({"PROMOBRIDGE_AMOUNT_PLACES": text})


@pytest.mark.parametrize("places", range(5))
def test_the_places_of_a_currency_are_read(places: int) -> None:
    assert from_environment({"PROMOBRIDGE_AMOUNT_PLACES": str(places)}).amount_places == places


@pytest.mark.parametrize("name", ["PROMOBRIDGE_KEEP_TO_CORES", "PROMOBRIDGE_REQUEST_SECONDS"])
def test_a_setting_of_an_earlier_version_is_ignored_with_one_warning(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert from_environment({name: "whatever"}) == from_environment({})
    assert caplog.messages == [f"{name} is not a setting any more and is ignored"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PROMOBRIDGE_DATABSE_URL", "; did you mean PROMOBRIDGE_DATABASE_URL?"),
        ("PROMOBRIDGE_LOG_FORMATS", "; did you mean PROMOBRIDGE_LOG_FORMAT?"),
        ("PROMOBRIDGE_ZZZ", ""),
    ],
)
def test_a_setting_that_there_is_not_is_ignored_with_one_warning(
    name: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert from_environment({name: "secret"}) == from_environment({})
    assert caplog.messages == [f"{name} is not a setting and is ignored{hint}"]


def test_what_is_no_setting_of_ours_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    from_environment({"PROMOBRIDGE_TEST_ROUNDS": "1", "PATH": "", "PROMOBRIDGE": "", "PORT": "1"})
    assert caplog.messages == []
