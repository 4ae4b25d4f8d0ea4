"""The order in which people read boxes on a page."""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[float, float, float, float]
"""(left, top, right, bottom), growing to the right and down."""


def in_reading_order(boxes: Sequence[Box]) -> list[int]:
    """Positions of boxes in the order in which people read them: bands from top to bottom, in a band its columns from left to right.

    Bands below each other whose columns fit, and are parted more widely than the bands, are read as columns.

    >>> in_reading_order([(60, 20, 100, 40), (0, 20, 40, 40), (0, 0, 100, 15), (0, 42, 40, 60), (60, 42, 100, 60)])
    [2, 1, 3, 0, 4]
    """

    def parts(members: Sequence[int], axis: int) -> tuple[list[list[int]], float]:
        """(groups that a gap parts, width of the narrowest gap); overlaps of a thirtieth of the whole do not count."""
        ordered = sorted(members, key=lambda at: (boxes[at][axis], boxes[at][1 - axis]))
        slack = (max(boxes[at][axis + 2] for at in members) - boxes[ordered[0]][axis]) / 30
        groups, end, narrowest = [[ordered[0]]], boxes[ordered[0]][axis + 2], float("inf")
        for at in ordered[1:]:
            if boxes[at][axis] >= end - slack:
                narrowest = min(narrowest, boxes[at][axis] - end)
                groups.append([])
            groups[-1].append(at)
            end = max(end, boxes[at][axis + 2])
        return groups, narrowest

    def order(members: Sequence[int]) -> list[int]:
        bands: list[list[int]] = []
        for band in parts(members, 1)[0]:
            together = [*bands[-1], *band] if bands else []
            alike = bands and len(parts(bands[-1], 0)[0]) > 1 and len(parts(band, 0)[0]) > 1
            if alike and len(parts(together, 0)[0]) > 1:
                between = min(boxes[at][1] for at in band) - max(boxes[at][3] for at in bands[-1])
                if parts(together, 0)[1] >= between:
                    bands[-1] = together
                    continue
            bands.append(band)
        result: list[int] = []
        for band in bands:
            columns = parts(band, 0)[0]
            if len(columns) > 1:
                result += [at for column in columns for at in order(column)]
            elif len(bands) > 1:
                result += order(band)
            else:
                result += sorted(band, key=lambda at: (boxes[at][1], boxes[at][0]))
        return result

    if len(boxes) > 500:  # no slide that people made
        return sorted(range(len(boxes)), key=lambda at: (boxes[at][1], boxes[at][0]))
    return order(range(len(boxes))) if boxes else []
