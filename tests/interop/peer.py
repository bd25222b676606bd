"""Speaks to a running server as an integrator's controller and as its customers.

Reads one JSON file (argument 1; see tests/interop.rs). Prints a line for each fact that holds and
ends with 1 at the first that does not.
"""

import hashlib
import hmac
import itertools
import json
import os
import re
import sys
import time

import grpc
from facts import (
    DENIAL,
    DOOR_FORCED,
    GRANT,
    LEAF_DOOR_EVENT,
    LEAF_ENTRY,
    LEAF_GENESIS,
    holds,
    read_feed,
    refused,
    told,
)

# Found where `facts` has put the examples.
from controller import Api, CallError, Card, Controller, open_api

ENTRY = re.compile(r"journal/[a-z0-9-]+/\d+/\d+")
UNKNOWN_CARD, NOT_ON_ACCESS_LIST = 1, 8
ANSWER_KNOWN_WITHIN_S = 10.0


class Peer:
    def __init__(self, given):
        self.given = given
        self.api = self.open("controller")
        self.door = Controller(self.api, "peer-boot-1")
        self.point = given["access_point"]
        self.cards = {
            name: Card(form, bits, bytes.fromhex(digits))
            for name, (form, bits, digits) in given["cards"].items()
        }
        # What the customer must find on its feed, in this order: (kind, decision, badge number).
        self.expected = []

    def open(self, identity):
        folder = self.given["identities"][identity]
        return open_api(self.given["server"], self.given["server_name"], folder)

    def expect(self, decision, subject):
        self.expected.append((LEAF_ENTRY, decision, subject))

    def granted(self):
        answer = self.door.authorize(self.point, self.cards["granted"])
        holds("a person on the list is granted", answer.decision == GRANT, answer)
        holds("a grant has no reasons", not answer.reasons, answer)
        holds("a grant names its entry", ENTRY.fullmatch(answer.entry), answer)
        valid = answer.valid_for.seconds + answer.valid_for.nanos / 1e9
        holds("a grant lasts up to two seconds", 0 < valid <= 2, valid)
        holds("the badge was verified", 1 in answer.verified, answer)
        self.expect(GRANT, self.given["granted_badge_number"])
        again = self.door.repeat()
        holds("the same attempt again gets the same answer", same(again, answer), again, answer)
        return answer

    def denied(self):
        answer = self.door.authorize(self.point, self.cards["denied"])
        holds("a person on no list is denied", answer.decision == DENIAL, answer)
        holds("the reason is the list", NOT_ON_ACCESS_LIST in answer.reasons, answer)
        holds("a denial names its entry", ENTRY.fullmatch(answer.entry), answer)
        holds("a denial opens nothing", answer.valid_for.ByteSize() == 0, answer)
        self.expect(DENIAL, "pseudonym")
        answer = self.door.authorize(self.point, self.cards["unknown"])
        holds("an unknown card is denied", answer.decision == DENIAL, answer)
        holds("the card is the reason", list(answer.reasons) == [UNKNOWN_CARD], answer)
        self.expect(DENIAL, "unknown_card")

    def counters(self, first):
        request = self.door.last
        other = type(request)()
        other.CopyFrom(request)
        other.card.bits = bytes(len(request.card.bits))
        error = refused(lambda: self.api.call("DoorService", "Authorize", other))
        code = grpc.StatusCode.INVALID_ARGUMENT
        holds("a counter with another body is refused", error.code == code, error)
        holds("and the reason says so", error.reason == "COUNTER_REUSED", error)
        # The grant of the first attempt is no longer given out after two seconds.
        deadline = time.monotonic() + ANSWER_KNOWN_WITHIN_S
        known = None
        while known is None and time.monotonic() < deadline:
            try:
                self.api.call("DoorService", "Authorize", self.first)
            except CallError as error:
                known = error
        code = grpc.StatusCode.ALREADY_EXISTS
        holds("later the attempt is known, and no grant", known and known.code == code, known)
        holds("and the reason says so", known.reason == "ATTEMPT_ALREADY_DECIDED", known)
        holds("and names the entry", known.details.get("entry") == first.entry, known.details)

    def doors_of_others(self):
        card = self.cards["granted"]
        theirs = refused(lambda: self.door.authorize(self.given["other_access_point"], card))
        nowhere = refused(lambda: self.door.authorize("no-such-point", card))
        holds("another's door is not there", theirs.code == grpc.StatusCode.NOT_FOUND, theirs)
        holds("just as none", str(theirs) == str(nowhere), theirs, nowhere)

    def strangers(self):
        card = self.cards["granted"]
        attempts = {}
        for name in ("stranger", "revoked"):
            door = Controller(self.open(name), f"peer-{name}")
            attempts[name] = refused(lambda door=door: door.authorize(self.point, card))
        anonymous = Api(self.given["server"], self.given["server_name"], self.ca(), None, None)
        door = Controller(anonymous, "peer-anonymous")
        attempts["anonymous"] = refused(lambda: door.authorize(self.point, card))
        codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
        for name, error in attempts.items():
            holds(f"a controller with a certificate that is {name}: no", error.code in codes, error)
        customer = Controller(self.open("customer"), "peer-customer")
        error = refused(lambda: customer.authorize(self.point, card))
        code = grpc.StatusCode.PERMISSION_DENIED
        holds("a customer asks for no door", error.code == code, error)

    def ca(self):
        with open(os.path.join(self.given["identities"]["controller"], "ca.pem"), "rb") as file:
            return file.read()

    def absurd(self):
        card, point = self.cards["granted"], f"accessPoints/{self.point}"
        counter = itertools.count(1_000_000)

        def attempt(**changed):
            fields = {
                "access_point": point,
                "boot_id": "peer-absurd",
                "counter": next(counter),
                "card": {"format": card.format, "bit_length": card.bit_length, "bits": card.bits},
            }
            return self.api.message("AuthorizeRequest", **(fields | changed))

        def bits(length, count):
            return {"format": "UID", "bit_length": length, "bits": bytes(count)}

        wrong = {
            "a card of 513 bits": attempt(card=bits(513, 65)),
            "a card of no bits": attempt(card=bits(0, 0)),
            "a card with bytes missing": attempt(card=bits(64, 7)),
            "4 billion bits": attempt(card=bits(2**32 - 1, 8)),
            "a format of 17 characters": attempt(
                card={"format": "x" * 17, "bit_length": 8, "bits": b"x"}
            ),
            "a boot id of 65 characters": attempt(boot_id="x" * 65),
            "no boot id": attempt(boot_id=""),
            "a boot id with a line end": attempt(boot_id="a\nb"),
            "a name of 10,000 characters": attempt(access_point="accessPoints/" + "x" * 10_000),
            "a name of another kind": attempt(access_point="doors/x"),
            "no card": self.api.message(
                "AuthorizeRequest", access_point=point, boot_id="peer-absurd", counter=1
            ),
            "a PIN of 40 digits": attempt(pin="1" * 40),
            "a PIN of letters": attempt(pin="abcd"),
        }
        codes = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
        for what, request in wrong.items():
            error = refused(lambda r=request: self.api.call("DoorService", "Authorize", r))
            holds(f"refused: {what}", error.code in codes and error.reason, error)
            holds("and the text is short", len(str(error)) < 1000, error)
        huge = attempt(card=bits(512, 8 << 20))
        error = refused(lambda: self.api.call("DoorService", "Authorize", huge))
        holds("refused: a message of 8 MiB", error.code != grpc.StatusCode.OK, error)
        self.absurd_batches()
        answer = self.door.authorize(self.point, self.cards["granted"])
        holds("and the server goes on", answer.decision == GRANT, answer)
        self.expect(GRANT, self.given["granted_badge_number"])

    def absurd_batches(self):
        event = {
            "event_time": {"seconds": int(time.time())},
            "access_point": f"accessPoints/{self.point}",
            "kind": DOOR_FORCED,
        }
        for count in (0, 201, 500):
            events = [event | {"counter": 2_000_000 + n} for n in range(count)]
            request = self.api.message(
                "ReportDoorEventsRequest", boot_id="peer-absurd", events=events
            )
            error = refused(lambda r=request: self.api.call("DoorService", "ReportDoorEvents", r))
            code = grpc.StatusCode.INVALID_ARGUMENT
            holds(f"refused: a batch of {count} events", error.code == code, error)
        theirs = event | {
            "counter": 3_000_001,
            "access_point": f"accessPoints/{self.given['other_access_point']}",
        }
        events = [event | {"counter": 3_000_000}, theirs]
        request = self.api.message("ReportDoorEventsRequest", boot_id="peer-absurd", events=events)
        error = refused(lambda: self.api.call("DoorService", "ReportDoorEvents", request))
        code = grpc.StatusCode.NOT_FOUND
        holds("a batch with another's door is refused whole", error.code == code, error)

    def reports(self):
        self.door.decided_alone(self.point, self.cards["granted"], True)
        self.door.decided_alone(self.point, self.cards["denied"], False)
        self.door.happened(self.point, DOOR_FORCED)
        owed = list(self.door.backlog)
        known = self.door.hand_in()
        news = [a.already_known for a in known]
        holds("what was decided alone is taken", news == [False] * 3, known)
        self.door.backlog = owed
        again = self.door.hand_in()
        holds("handed in again it is known", all(a.already_known for a in again), again)
        holds("under the same entries", [a.entry for a in again] == [a.entry for a in known])
        self.expect(GRANT, self.given["granted_badge_number"])
        self.expect(DENIAL, "pseudonym")
        self.expected.append((LEAF_DOOR_EVENT, DOOR_FORCED, None))

    def feed(self):
        customer = self.open("customer")
        parent = f"customers/{self.given['customer']}"
        leaves, checkpoint = read_feed(customer, parent)
        indices = [leaf.index for leaf in leaves]
        holds("indices are dense from 0", indices == list(range(len(leaves))), indices)
        holds("the first leaf is the genesis", leaves[0].kind == LEAF_GENESIS, leaves[0])
        seen = [told(leaf) for leaf in leaves]
        kinds = (LEAF_ENTRY, LEAF_DOOR_EVENT)
        seen = [one for leaf, one in zip(leaves, seen) if leaf.kind in kinds]
        holds("the feed holds each attempt once, in order", seen == self.expected, seen)
        later = [e for leaf in leaves if (e := leaf.entry).handed_in_later]
        holds("two were handed in later", len(later) == 2 and later[0].decided_by == 2, later)
        for leaf in leaves:
            computed = leaf_hash(leaf)
            holds(f"leaf {leaf.index} is what its record says", computed == leaf.leaf_hash)
        hashes = [leaf.leaf_hash for leaf in leaves[: checkpoint.tree_size]]
        whole = checkpoint.tree_size == len(leaves)
        holds("the checkpoint covers the feed", whole, checkpoint.tree_size, len(leaves))
        holds("the root is that of the leaves", root(hashes) == checkpoint.root_hash)
        error = refused(lambda: read_feed(customer, f"customers/{self.given['other_customer']}"))
        nobody = refused(lambda: read_feed(customer, "customers/nobody"))
        holds("another's feed is not there", error.code == grpc.StatusCode.NOT_FOUND, error)
        holds("just as none", str(error) == str(nobody), error, nobody)
        error = refused(lambda: read_feed(self.api, parent))
        code = grpc.StatusCode.PERMISSION_DENIED
        holds("a controller reads no feed", error.code == code, error)

    def run(self):
        first = self.granted()
        self.first = type(self.door.last)()
        self.first.CopyFrom(self.door.last)
        self.denied()
        self.counters(first)
        self.doors_of_others()
        self.strangers()
        self.absurd()
        self.reports()
        self.feed()


def same(one, two):
    """Whether two answers are the same but for the time left."""
    return (one.decision, one.reasons, one.entry, one.verified) == (
        two.decision,
        two.reasons,
        two.entry,
        two.verified,
    )


def leaf_hash(leaf):
    """docs/feed-format.md, from the text."""
    kind = leaf.kind.to_bytes(1, "big")
    committed = hmac.new(leaf.salt, leaf.record, hashlib.sha256).digest()
    parts = [b"\0", b"sluss-leaf/v1\0", leaf.index.to_bytes(8, "big"), kind, committed]
    return hashlib.sha256(b"".join(parts)).digest()


def root(hashes):
    """RFC 6962, section 2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        Peer(json.load(file)).run()
    print("all facts hold", flush=True)
