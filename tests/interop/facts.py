"""What the peers have in common: facts that hold or end the run, and a customer's feed."""

import os
import sys
import time

sys.path.insert(0, os.environ["SLUSS_EXAMPLES"])
from controller import CallError  # noqa: E402

GRANT, DENIAL = 1, 2
LEAF_GENESIS, LEAF_ENTRY, LEAF_DOOR_EVENT = 1, 2, 3
DOOR_FORCED = 4
COVERED_WITHIN_S = 10.0
PAGE_LEAVES = 7  # so few that there are several pages


def holds(fact, truth, *seen):
    """Says that a fact holds, or ends."""
    must(fact, truth, *seen)
    ok(fact)


def ok(fact):
    """Says that a fact was found to hold."""
    print(f"ok: {fact}", flush=True)


def must(fact, truth, *seen):
    """Ends if a fact does not hold; says nothing if it does, for what is looked at often."""
    if not truth:
        print(f"FAILED: {fact}: {seen!r}", flush=True)
        sys.exit(1)


def refused(call):
    """The CallError of a call that must fail."""
    try:
        answer = call()
    except CallError as error:
        return error
    holds("a refusal was due", False, answer)
    return None


def told(leaf):
    """What a leaf tells: (kind, decision or event, badge number or kind of subject)."""
    if leaf.kind == LEAF_DOOR_EVENT:
        return (leaf.kind, leaf.door_event.kind, None)
    subject = leaf.entry.subject
    which = subject.WhichOneof("subject")
    return (
        leaf.kind,
        leaf.entry.decision,
        subject.badge_number if which == "badge_number" else which,
    )


def read_feed(api, parent):
    """All leaves, page by page, and a checkpoint that covers them."""
    leaves, token = [], ""
    deadline = time.monotonic() + COVERED_WITHIN_S
    while True:
        page = read_page(api, parent, len(leaves), token, PAGE_LEAVES)
        leaves.extend(page.leaves)
        token = page.next_page_token
        covered = page.checkpoint.tree_size == len(leaves)
        if not token and (covered or time.monotonic() > deadline):
            return leaves, page.checkpoint


def read_page(api, parent, from_index, token="", page_size=100):
    """One page of leaves, as they are at this moment."""
    request = api.message(
        "ListFeedLeavesRequest",
        parent=parent,
        page_size=page_size,
        page_token=token,
        from_index=from_index,
    )
    return api.call("FeedService", "ListFeedLeaves", request)
