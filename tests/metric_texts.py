"""What /metrics says, read back."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.serving import Server, request_bytes

Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]


def samples(text: str) -> Samples:
    """Return the value of each line, by its name and its labels in order."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    """Return the value of one line, 0 when there is none."""
    return found.get((f"promobridge_{name}", tuple(sorted(labels.items()))), 0.0)


def scraped(server: Server) -> Samples:
    """Return what a server says of all its processes."""
    return samples(server.send(request_bytes("GET", "/metrics")).body.decode())
