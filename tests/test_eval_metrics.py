"""Each figure against a case worked by hand, and the properties that hold for all values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.data import Place
from eval.metrics import (
    answer_hit,
    answer_tokens,
    area_under_risk,
    auroc,
    balanced_accuracy,
    bare,
    bootstrap_interval,
    caught_at,
    citation_precision,
    claim_precision,
    claim_recall,
    evidence_covered,
    expected_calibration_error,
    false_answer,
    false_refusal,
    items_shown,
    ndcg_at_k,
    overlaps,
    paired_interval,
    percentile,
    recall_at_k,
    reciprocal_rank,
    reliability,
    risk_coverage,
    sign_test,
    squeeze,
    token_f1,
)

NONE, ONE, TWO = frozenset(), frozenset({0}), frozenset({1})


def test_squeeze_folds_width_case_space_and_thousands():
    assert squeeze("ＡＩ 市场 1,500 万，见 Fig. 2") == "ai市场1500万,见fig.2"
    assert squeeze("1,234,567") == "1234567"
    assert squeeze("2030 70") == "2030 70"


def test_bare_keeps_letters_and_digits():
    assert bare("“云—端”（**A-1**）。") == "云端a1"


@pytest.mark.parametrize(
    ("answer", "answers", "match", "hit"),
    [
        ("约 70 % 的负载", [["70%"]], "all", True),
        ("提升到 170%", [["70%"]], "all", False),
        ("达到 1.70%", [["70%"]], "all", False),
        ("1,500 万人", [["1500万"]], "all", True),
        ("共 15 个", [["1"]], "all", False),
        ("共 1.5 个", [["1"]], "all", False),
        ("有甲和乙", [["甲"], ["乙", "B"], ["丙"]], "all", False),
        ("有甲和 b，还有丙", [["甲"], ["乙", "B"], ["丙"]], "all", True),
        ("只有乙", [["甲"], ["乙"]], "any", True),
        ("都没有", [["甲"], ["乙"]], "any", False),
        ("甲", [], "all", False),
    ],
)
def test_answer_hit(answer, answers, match, hit):
    assert answer_hit(answer, answers, match) is hit


def test_overlap_needs_half_of_the_gold_or_lies_within_it():
    gold = "风力发电每年增长两成，成本下降"  # 14 letters
    assert overlaps("报告说：风力发电、每年 增长两成，成本下降。", gold)
    assert overlaps("风力发电每年增，别的", gold)  # 7 of 14
    assert not overlaps("风力发电每年，别的", gold)  # 6 of 14, and more besides
    assert overlaps("每年增长", gold)  # within
    assert not overlaps("增长", gold)  # within, but too short to show anything
    assert not overlaps("", gold) and not overlaps("任何", "……")


@given(st.text(), st.text(min_size=1))
def test_a_quote_around_the_gold_always_overlaps(around, gold):
    assert overlaps(around + "。" + gold + "。" + around, gold) is bool(bare(gold))


def test_items_shown_asks_for_the_same_document():
    gold = (Place("a", "水面上升三米", item=0), Place("b", "水面上升三米", item=1), Place("a", "另一句话在此", item=2))
    assert items_shown("水面上升三米。", "a", gold) == frozenset({0})
    assert items_shown("水面上升三米。", "c", gold) == NONE


def test_recall_at_k():
    shown = [NONE, ONE, ONE, TWO]
    assert [recall_at_k(shown, ONE | TWO, k) for k in (1, 2, 3, 4)] == [0, 0.5, 0.5, 1]
    assert recall_at_k([], ONE, 5) == 0
    with pytest.raises(ValueError, match="at least one item"):
        recall_at_k(shown, NONE, 1)


def test_reciprocal_rank():
    assert reciprocal_rank([NONE, NONE, TWO, ONE], ONE | TWO) == pytest.approx(1 / 3)
    assert reciprocal_rank([NONE, TWO], ONE) == 0
    assert reciprocal_rank([], ONE) == 0


def test_evidence_and_citation_precision():
    assert evidence_covered([ONE, NONE, ONE], ONE | TWO) == 0.5
    assert evidence_covered([], ONE) == 0
    assert citation_precision([ONE, NONE, ONE | TWO, NONE]) == 0.5
    with pytest.raises(ValueError, match="at least one citation"):
        citation_precision([])


def test_both_errors_of_refusing():
    answerable, unanswerable = [True, False, False, False], [True, False]
    assert false_refusal(answerable) == 0.25
    assert false_answer(unanswerable) == 0.5
    assert balanced_accuracy(answerable, unanswerable) == 0.625
    assert balanced_accuracy([True] * 9, [True]) == balanced_accuracy([False] * 9, [False]) == 0.5


def test_percentile_is_a_value_that_was_seen():
    assert percentile([30, 10, 20, 40], 0.5) == 20
    assert percentile([30, 10, 20, 40], 0.95) == 40
    assert percentile([7], 0.5) == 7


def test_bootstrap_interval_is_seeded_and_holds_the_mean():
    values = [1.0] * 30 + [0.0] * 10
    low, high = bootstrap_interval(values, seed=3)
    assert (low, high) == bootstrap_interval(values, seed=3)
    assert 0.55 < low < 0.75 < high < 0.95  # the normal interval would be 0.616 to 0.884
    assert bootstrap_interval([1.0, 1.0]) == (1.0, 1.0)
    assert bootstrap_interval([1.0] * 9, [0.0]) == (0.5, 0.5)


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=1, max_size=3))
def test_bootstrap_interval_stays_between_the_extremes(groups):
    low, high = bootstrap_interval(*groups, resamples=50)
    least, most = (sum(map(pick, groups)) / len(groups) for pick in (min, max))
    assert least - 1e-9 <= low <= high <= most + 1e-9


def test_ndcg_counts_each_item_once_and_early():
    assert ndcg_at_k([ONE | TWO], ONE | TWO, 10) == 1
    assert ndcg_at_k([NONE, ONE], ONE, 10) == pytest.approx(0.6309, abs=1e-4)  # 1 / log2(3)
    assert ndcg_at_k([ONE, ONE, TWO], ONE | TWO, 10) == pytest.approx(0.5 + 0.5 / 2)  # ranks 1 and 3: 1/log2(2), 1/log2(4)
    assert ndcg_at_k([NONE, NONE, ONE], ONE, 2) == 0
    with pytest.raises(ValueError, match="at least one item"):
        ndcg_at_k([ONE], NONE, 10)


def test_token_f1():
    assert answer_tokens("约 70% 的ＡＩ云") == ["约", "70", "的", "ai", "云"]
    # said: 达 到 百 分 之 九 (6); wanted: 百 分 之 九 十 (5); shared 4: 2 * 4 / 11
    assert token_f1("达到百分之九", [["百分之九十"]]) == pytest.approx(8 / 11)
    assert token_f1("three men in a boat", [["boat", "ship"], ["men"]]) == pytest.approx(2 * 2 / (5 + 2))
    assert token_f1("nothing", [["x"]]) == 0
    with pytest.raises(ValueError, match="accepted form"):
        token_f1("a", [])


def holds(claim, quotes):
    """A judge for tests: every word of the claim is in the quotes."""
    return set(claim.split()) <= set(" ".join(quotes).split())


def test_citation_recall_and_precision_of_a_claim():
    assert claim_recall("a b", ["a", "b c"], holds) == 1
    assert claim_recall("a b", ["a"], holds) == 0
    assert claim_recall("a", [], holds) == 0
    assert claim_precision("a b", ["a", "b"], holds) == 1  # neither alone supports it, but it fails without either
    assert claim_precision("a b", ["a b", "z", "b a"], holds) == pytest.approx(2 / 3)  # z supports nothing and is not missed
    assert claim_precision("a b", ["a", "z"], holds) == 0  # not supported at all
    assert claim_precision("a", ["a"], holds) == 1
    with pytest.raises(ValueError, match="at least one citation"):
        claim_precision("a", [], holds)


def test_auroc():
    assert auroc([3, 2], [1, 2]) == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert auroc([1], [2]) == 0 and auroc([2], [1]) == 1 and auroc([1], [1]) == 0.5
    with pytest.raises(ValueError, match="both sides"):
        auroc([], [1])


def test_risk_over_coverage():
    points = risk_coverage([0.9, 0.8, 0.8, 0.1], [False, True, False, True])
    assert points == [(0.25, 0.0), (0.75, pytest.approx(1 / 3)), (1.0, 0.5)]
    assert area_under_risk(points) == pytest.approx(0.5 / 3 + 0.25 * 0.5)
    assert risk_coverage([], []) == []


def test_paired_comparison():
    mean, low, high = paired_interval([0, 0, 1, 1], [1, 1, 1, 1])
    assert mean == 0.5 and 0 <= low < 0.5 < high <= 1
    assert paired_interval([0.3, 0.7], [0.3, 0.7]) == (0, 0, 0)
    assert sign_test(6, 0) == sign_test(0, 6) == pytest.approx(2 / 64)
    assert sign_test(1, 1) == sign_test(0, 0) == 1


def test_caught_at_counts_strictly_above_the_limit_that_the_share_allows():
    assert caught_at(0.5, [3, 2, 1], [2, 1]) == 2 / 3  # one of two may lie above 1: the limit is 1
    assert caught_at(0.0, [3, 2, 1], [2, 1]) == 1 / 3
    assert caught_at(1.0, [3, 2, 1], [2, 1]) == 2 / 3  # every supported one may be called so: the lowest is the limit


def test_reliability_and_its_error_by_hand():
    bins = reliability([(0.05, False), (0.15, True), (0.19, False), (1.0, True)])
    assert [(each.low, each.high, each.n, each.happened) for each in bins] == [(0.0, 0.1, 1, 0.0), (0.1, 0.2, 2, 0.5), (0.9, 1.0, 1, 1.0)]
    assert bins[1].said == pytest.approx(0.17)
    assert expected_calibration_error(bins) == pytest.approx((1 * 0.05 + 2 * 0.33 + 0) / 4)
    assert expected_calibration_error([]) == 0.0
