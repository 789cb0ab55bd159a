"""What every peer script does: read a question a line, time the work asked for, answer a line. Standard library only."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Work = Callable[[int], Any]


def serve(prepare: Callable[[dict[str, Any]], Work]) -> None:
    """`prepare(first question)` returns the work: a function of a number that gives back what it made."""
    work = prepare(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        numbers = json.loads(line)["numbers"]
        start = time.perf_counter_ns()
        made = [work(number) for number in numbers]
        spent = time.perf_counter_ns() - start
        print(json.dumps({"us": spent / len(numbers) / 1000, "made": made}), flush=True)
