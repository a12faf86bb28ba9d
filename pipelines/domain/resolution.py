"""From the chance that each pair is one party to verdicts and clusters, within a stated risk.

Belongs here: rivalry between pairs that cannot all be true, vetoes inside whole components, the threshold
that a risk allows, the queue. Does not belong here: where the chance comes from (`mixture`), which
evidence forbids or caps a pair (`rules`), ids (`clusters`).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipelines.domain.partition import Codes, components, contradicted, forest, rebuilt_whole

Chances = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SAME, REVIEW, DIFFERENT, UNSURE = "same", "review", "different", "unsure"

CONSIDERED = 0.02
"""A pair less likely than this is `different`; nobody is asked and it rivals nothing."""
_CERTAIN = 1e-12


@dataclass(frozen=True)
class Pairs:
    """Compared pairs, each once, as arrays of one length.

    left, right: record numbers, left < right. chance: of being one party. forbidden: never one party.
    against: evidence speaks against it, without forbidding. guarded: not to be merged without a person.
    parted: guarded, and not to be in one cluster over others either.
    verified: never one party whatever a steward says. said: what a steward said, as `judgements.settle` has
    it, or nothing.
    """

    left: Codes
    right: Codes
    chance: Chances
    forbidden: Flags
    against: Flags
    guarded: Flags
    parted: Flags
    verified: Flags
    said: npt.NDArray[np.str_]

    def ruled(self) -> "Pairs":
        """The same pairs with what was said put in place of what was thought."""
        if not (self.said != "").any():
            return self
        same = (self.said == SAME) & ~self.verified
        apart, unsure = self.said == DIFFERENT, self.said == UNSURE
        return replace(
            self,
            chance=np.where(same, 1.0, self.chance),
            forbidden=self.forbidden & ~same | apart,
            against=self.against & ~same,
            guarded=(self.guarded | unsure) & ~same,
            parted=self.parted & ~same,
        )


@dataclass(frozen=True)
class Policy:
    """What may be risked and what may be asked.

    leaked_per_million: records per million that may be expected to lie in a cluster with somebody else's.
    queued_per_hundred: questions to stewards per hundred records, at most; queued_at_least: so many are never
    too many, however small the register. least_worth_asking: chance below which nobody is asked.
    """

    leaked_per_million: float
    queued_per_hundred: float
    queued_at_least: int
    least_worth_asking: float


@dataclass(frozen=True)
class Limits:
    """Where a policy draws its lines in one register; they stand until the register is learnt anew.

    threshold: the score from which pairs are merged. expected_leaks: records per million expected in a
    mixed cluster. ask_from: the stake from which pairs are asked about (see `_stakes`). least: the score
    from which they are.
    """

    threshold: float
    expected_leaks: float
    ask_from: float
    least: float


@dataclass(frozen=True)
class Resolution:
    """What follows: per pair (in the order given) score and verdict, per record its cluster.

    score: the chance in the light of all other pairs; 0 where a veto in the component excludes it.
    cluster: the smallest record number of the record's cluster. stake: how many pairs of records a yes is
    likely to bring together. asked: pairs in review.
    """

    score: Chances
    verdict: npt.NDArray[np.str_]
    cluster: Codes
    stake: Chances
    limits: Limits
    asked: int


def resolve(size: int, pairs: Pairs, exclusive: list[Codes], by: Policy | Limits) -> Resolution:
    """Verdicts and clusters for records 0 … size-1; neither depends on the order of the pairs.

    exclusive: per attribute a code per record (-1: none); two codes never stand in one cluster. by: a policy
    draws its limits from these very records, which then have to be a whole register; with limits that were
    drawn before, what follows for a component depends on nothing outside it.
    """
    pairs = pairs.ruled()
    chance = np.where(pairs.forbidden, 0.0, pairs.chance)
    chance = _against_rivals(size, pairs, chance)
    score = _without_contradictions(size, pairs, chance, exclusive)

    eligible = ~pairs.guarded & (score >= 0.5)
    if isinstance(by, Policy):
        threshold, leaks = _threshold(size, pairs, score, eligible, by.leaked_per_million)
        limits = Limits(threshold, leaks, 0.0, by.least_worth_asking)
    else:
        limits = by
    # what is certain adds nothing to any risk
    accepted = eligible & (score >= min(limits.threshold, 1.0))
    # what is accepted lies within the components that hold no contradiction any more, but for what a person may allow
    apart = pairs.parted | pairs.against & (chance < 0.5)
    cluster = _built_up(size, pairs, accepted, apart, score, [])

    joined = cluster[pairs.left] == cluster[pairs.right]
    stake = _stakes(size, pairs, score, cluster)
    asked = _queue(pairs, score, stake, cluster, joined, limits)
    if isinstance(by, Policy):
        limits = replace(limits, ask_from=_ask_from(stake[asked], by, size))
        asked &= stake >= limits.ask_from
    asked |= (pairs.said == UNSURE) & ~joined & ~pairs.forbidden
    verdicts = np.array((DIFFERENT, REVIEW, SAME))
    verdict = verdicts[np.where(joined & ~pairs.forbidden, 2, asked)]
    return Resolution(score, verdict, cluster, stake, limits, int(asked.sum()))


def _against_rivals(size: int, pairs: Pairs, chance: Chances) -> Chances:
    """The chances when a record cannot be two parties at once.

    Where a record x is tied to u and to v, and u and v are hardly one party, x is one of them at most: the
    odds of x with u are shared with v. So a birthless record between a father and a son of its name
    belongs to neither for certain, which no look at a single pair can tell. A record that states itself what
    keeps them apart is between nobody: against one of the two it was weighed already.
    """
    tied = (chance >= CONSIDERED) & ~pairs.against
    apart = pairs.forbidden | pairs.against & (chance < 0.95)
    if not (tied.any() and apart.any()):
        return chance
    number = np.flatnonzero(tied)
    a = np.concatenate([pairs.left[number], pairs.right[number]])
    bound = np.zeros(size, dtype=bool)
    bound[a] = True
    u, v, gap = pairs.left[apart], pairs.right[apart], 1.0 - chance[apart]
    both = bound[u] & bound[v]
    u, v, gap = u[both], v[both], gap[both]
    # most records are tied to one party's only
    between_two = np.zeros(size, dtype=bool)
    between_two[u] = between_two[v] = True
    of_them = np.flatnonzero(between_two[a])
    b = np.concatenate([pairs.right[number], pairs.left[number]])[of_them]
    edge = np.concatenate([number, number])[of_them]
    a = a[of_them]
    ties = a * size + b
    order = np.argsort(ties)
    a, b, edge, ties = a[order], b[order], edge[order], ties[order]

    first, last = np.searchsorted(a, u, "left"), np.searchsorted(a, u, "right")
    many = last - first
    u_edge = np.repeat(first, many) + np.arange(many.sum()) - np.repeat(many.cumsum() - many, many)
    between = b[u_edge]
    wanted = np.repeat(v, many) * size + between
    found = np.searchsorted(ties, wanted)
    both = (found < len(ties)) & (ties[np.minimum(found, len(ties) - 1)] == wanted)
    one, other, gap = edge[u_edge[both]], edge[found[both]], np.repeat(gap, many)[both]

    odds = chance / np.maximum(1.0 - chance, _CERTAIN)
    rival = np.zeros(len(chance))
    np.maximum.at(rival, one, odds[other] * gap)
    np.maximum.at(rival, other, odds[one] * gap)
    shared = odds / (1.0 + rival)
    return np.where(rival > 0, shared / (1.0 + shared), chance)


def _without_contradictions(
    size: int, pairs: Pairs, chance: Chances, exclusive: list[Codes]
) -> Chances:
    """The chances, with 0 for what a veto in the component excludes, at whatever threshold.

    Components are built up from the likeliest pair down; a pair that would join what is forbidden, or what
    evidence holds apart, gives way to those likelier than itself. Evidence holds apart where it left the pair
    not worth considering; what is open still, as between two records of which each has its own mistakes,
    does not part records that are likely one.
    """
    considered = chance >= CONSIDERED
    apart = pairs.forbidden | pairs.against & (chance < CONSIDERED)
    built = _built_up(size, pairs, considered, apart, chance, exclusive)
    excluded = considered & (built[pairs.left] != built[pairs.right])
    return np.where(excluded, np.minimum(chance, CONSIDERED / 2), chance)


def _built_up(
    size: int, pairs: Pairs, edges: Flags, apart: Flags, chance: Chances, exclusive: list[Codes]
) -> Codes:
    """The smallest record of each one's component over edges, which hold together nothing that is apart."""
    labels = components(size, pairs.left[edges], pairs.right[edges])
    torn = contradicted(labels, pairs.left[apart], pairs.right[apart], exclusive)
    if not torn.size:
        return labels
    affected = np.zeros(size, dtype=bool)
    affected[torn] = True
    affected = affected[labels]
    nodes = np.flatnonzero(affected)
    place = np.cumsum(affected) - 1
    edges = edges & affected[pairs.left]
    vetoes = apart & affected[pairs.left] & affected[pairs.right]
    labels[nodes] = nodes[
        rebuilt_whole(
            len(nodes),
            (place[pairs.left[edges]], place[pairs.right[edges]]),
            chance[edges],
            (place[pairs.left[vetoes]], place[pairs.right[vetoes]]),
            [codes[nodes] for codes in exclusive],
        )
    ]
    return labels


def _threshold(
    size: int, pairs: Pairs, score: Chances, eligible: Flags, per_million: float
) -> tuple[float, float]:
    """The lowest score that keeps the expected leaks within the risk, and the leaks then expected.

    A pair that is wrong with 1 - score mixes the two clusters it joins; of the pairs of one cluster only
    a spanning tree's join anything. Both are taken from the clusters of all eligible pairs, a bit too
    large, so the risk is a bit overstated.
    """
    left, right = pairs.left[eligible], pairs.right[eligible]
    labels = components(size, left, right)
    members = np.bincount(labels, minlength=size)
    ties = np.bincount(labels[left], minlength=size)
    at = labels[left]
    joining = (members[at] - 1) / np.maximum(ties[at], 1)
    cost = (1.0 - score[eligible]) * members[at] * joining
    order = np.argsort(-score[eligible], kind="stable")
    ordered = score[eligible][order]
    leaks = np.cumsum(cost[order]) * 1e6 / max(size, 1)
    within = np.flatnonzero(leaks <= per_million)
    if not len(within):
        return 1.0 + _CERTAIN, 0.0
    # equal scores stand or fall together
    last = int(within[-1])
    if last + 1 < len(ordered) and ordered[last + 1] == ordered[last]:
        last = int(np.searchsorted(-ordered, -ordered[last], "left")) - 1
        if last < 0:
            return 1.0 + _CERTAIN, 0.0
    return float(ordered[last]), float(leaks[last])


def _stakes(size: int, pairs: Pairs, score: Chances, cluster: Codes) -> Chances:
    """How many pairs of records a yes to each pair is likely to bring together."""
    members = np.bincount(cluster, minlength=size)
    stakes: Chances = score * members[cluster[pairs.left]] * members[cluster[pairs.right]]
    return stakes


def _ask_from(stakes: Chances, policy: Policy, size: int) -> float:
    """The stake that leaves at most so many questions."""
    limit = max(int(policy.queued_per_hundred * size / 100), policy.queued_at_least)
    if len(stakes) <= limit:
        return 0.0
    ordered = np.sort(stakes)[::-1]
    # questions of one stake stand or fall together
    return float(np.nextafter(ordered[limit], np.inf))


def _queue(
    pairs: Pairs, score: Chances, stake: Chances, cluster: Codes, joined: Flags, limits: Limits
) -> Flags:
    """The pairs to ask about, those first whose answer is likely to bring most records together.

    Of two clusters the likeliest pair only, and none whose answer would follow from two others: who is
    told that a is b and b is c need not be asked about a and c. What follows from a "no" is asked the
    next time.
    """
    asked = np.zeros(len(score), dtype=bool)
    worth = (score >= limits.least) & (stake >= limits.ask_from)
    open_ = np.flatnonzero(~joined & ~pairs.forbidden & worth)
    order = np.lexsort((pairs.right[open_], pairs.left[open_], -score[open_], -stake[open_]))
    open_ = open_[order]
    asked[open_[forest(len(cluster), cluster[pairs.left[open_]], cluster[pairs.right[open_]])]] = (
        True
    )
    return asked
