"""A table of many small tables does what one table does, and none of them grows large."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.trading.shelves import Shelves

keys = st.text(max_size=3)
steps = st.lists(st.tuples(st.just("put"), keys, st.integers()) | st.tuples(st.just("drop"), keys, st.just(0)), max_size=60)


@given(steps)
def test_it_does_what_a_dict_does(history: list[tuple[str, str, int]]) -> None:
    shelves, plain = Shelves[int](), dict[str, int]()
    for step, key, value in history:
        if step == "put":
            shelves.put(key, value)
            plain[key] = value
        else:
            shelves.drop(key)
            plain.pop(key, None)
        assert all(shelves.get(each) == plain.get(each) for _, each, _ in history)


def test_no_shelf_grows_large() -> None:
    """Names as client ids are made: numbers that rise by steps. What is copied at once when a shelf grows is one shelf."""
    shelves = Shelves[int]()
    for number in range(50_000):
        shelves.put(str(1_795_395_739_713_000 + 64 * number), number)
    sizes = [len(shelf) for shelf in shelves._shelves]
    assert sum(sizes) == 50_000
    assert max(sizes) < 50_000 / 100
