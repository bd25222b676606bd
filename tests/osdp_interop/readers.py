"""Readers of libosdp at two lines of a running server: what the server makes of them.

Reads one JSON file (argument 1; see tests/osdp_interop.rs). Prints a line for each fact that holds
and ends with 1 at the first that does not.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import osdp
from facts import DENIAL, DOOR_FORCED, GRANT, LEAF_DOOR_EVENT, LEAF_ENTRY
from facts import holds, must, ok, read_feed, read_page, told
from line import Line

# Found where `facts` has put the examples.
from controller import open_api

UP_WITHIN_S = 60.0  # from the making of the lines; the server starts meanwhile
DONE_WITHIN_S = 10.0
REFUSED_WITHIN_S = 20.0
BACK_WITHIN_S = 3.0
POLLS = 1000
TRIES_MAX = 5  # of what this process spoiled by being late
SWIPES = 100  # so many that a release a little too early does not stay unseen
LOSSES = ("timeouts", "retries", "bad_frames", "bad_macs", "dropped", "busy")
LED_BLACK, LED_RED, LED_GREEN = (
    osdp.CommandLEDColor.Black,
    osdp.CommandLEDColor.Red,
    osdp.CommandLEDColor.Green,
)
ENFORCED = (osdp.LibFlag.EnforceSecure,)
CARDS = {
    "A-100": (26, "95181cc0"),
    "B-100": (56, "04a1b2c3d4e5f6"),
    "unknown": (26, "9501f3c0"),
    "misread": (26, "95181c80"),  # A-100 with its last bit, a parity, turned round
}


class Peer:
    def __init__(self, given):
        self.given = given
        keys = {name: bytes.fromhex(key) for name, key in given["keys"].items()}
        north, south = (Line(given["lines"][name]) for name in ("north", "south"))
        self.lines = {"north": north, "south": south}
        install = (osdp.LibFlag.InstallMode,)
        self.cage = north.add(0, keys["cage-outside"], ENFORCED, 0x1001)
        self.wrong_key = north.add(1, bytes(reversed(keys["cage-inside"])), ENFORCED, 0x1002)
        self.in_clear = north.add(2, None, (), 0x1003)
        self.vault = south.add(126, keys["vault-outside"], ENFORCED, 0x2001)
        self.default_key = south.add(5, None, install, 0x2002)
        self.impostors = {
            "cage-inside": self.wrong_key,
            "annex-outside": self.in_clear,
            "vault-inside": self.default_key,
        }
        self.good = {"cage-outside": self.cage, "vault-outside": self.vault}
        self.apis = {}
        # What each customer must find on its feed, in this order: (kind, decision, badge number).
        self.expected = {"acme": [], "bolt": []}
        self.sessions = {name: 1 for name in self.good}  # begun, as is to be expected
        self.swipes_s = []

    def api(self, identity):
        """A connection that is warm: it has read something."""
        if identity not in self.apis:
            folder = self.given["identities"][identity]
            self.apis[identity] = open_api(self.given["server"], "", folder)
        return self.apis[identity]

    def customer(self, name):
        return self.api(name), f"customers/{name}"

    def statuses(self):
        """What the server says of its readers, by id."""
        operator = self.api("operator")
        request = operator.message("ListReaderStatusesRequest", page_size=100)
        answer = operator.call("ReaderService", "ListReaderStatuses", request)
        return {status.reader.removeprefix("readers/"): status for status in answer.statuses}

    def state(self, status):
        return self.api("operator").enum_name("ReaderState", status.state, "READER_STATE_")

    def wait(self, fact, within_s, look, *seen):
        """Looks until something is so, and says so, or ends."""
        holds(fact, self.look_for(within_s, look), *(part() for part in seen))

    def look_for(self, within_s, look):
        """Looks until something is so, as often as a line has news."""
        deadline = time.monotonic() + within_s
        news = self.lines["north"].news
        while not (truth := look()) and time.monotonic() < deadline:
            with news:
                news.wait(0.02)
        return truth

    # The lines come up.

    def up(self):
        for line in self.lines.values():
            line.start()
        for name, reader in self.good.items():
            fact = f"libosdp says: {name} has a secure channel"
            self.wait(fact, UP_WITHIN_S, reader.is_secure)
        is_there = lambda: os.path.exists(self.given["furnished"])
        self.wait("the customers' lists are there", UP_WITHIN_S, is_there)
        for customer in self.expected:
            self.length(customer)  # so that later calls find a connection

        def all_secure():
            states = {name: self.state(status) for name, status in self.statuses().items()}
            return all(states.get(name) == "SECURE" for name in self.good)

        self.wait("the server says so too", DONE_WITHIN_S, all_secure, self.statuses)
        for name, reader in self.good.items():
            status, serial = self.statuses()[name], f"{reader.identity.serial_number:08x}"
            holds(f"{name}: its serial number is known", status.serial.lower() == serial, status)

    # No reader without its key counts.

    def refused(self):
        def all_refused():
            statuses = self.statuses()
            return all(self.state(statuses[name]) == "REFUSED" for name in self.impostors)

        fact = f"the server trusts none of {', '.join(self.impostors)}"
        self.wait(fact, REFUSED_WITHIN_S, all_refused, self.statuses)
        rows = json.loads(self.sluss("reader", "list", "-o", "json"))
        told_refused = {row["reader"] for row in rows if row["state"] == "refused"}
        holds("`sluss reader list` tells them", told_refused == set(self.impostors), rows)
        for name, reader in self.impostors.items():
            holds(f"{name}: has no secure channel", not reader.is_secure())
            bits, digits = CARDS["B-100" if name.startswith("vault") else "A-100"]
            taken = [reader.present(bits, bytes.fromhex(digits)) for _ in range(3)]
            holds(f"{name}: libosdp has good cards to tell", all(taken), taken)

    def sluss(self, *arguments):
        return subprocess.run(
            [self.given["sluss"], *arguments],
            env={
                "SLUSS_SERVER": f"https://{self.given['server']}",
                "SLUSS_IDENTITY": self.given["identities"]["operator"],
            },
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    # 1,000 polls.

    def polls(self):
        """Counts polls until 1,000 in a row were answered.

        Anew only where this very process was late, which is no loss of the line.
        """
        for _ in range(TRIES_MAX):
            late = self.late()
            begin = self.statuses()
            window = {}

            def enough(begin=begin, window=window):
                window.update(self.counted(begin, self.statuses()))
                return all(counted["replies"] >= POLLS for counted in window.values())

            self.wait(f"{POLLS} polls of each reader were answered", UP_WITHIN_S, enough,
                      lambda: window)
            lost = {n: {what: c[what] for what in LOSSES} for n, c in window.items()}
            if self.late() == late or not any(any(each.values()) for each in lost.values()):
                break
            print(f"again: this process was late: {lost}", flush=True)
        for name, counted in window.items():
            fact = f"{name}: {counted['replies']} polls, none was lost or refused"
            holds(fact, not any(lost[name].values()) and counted["naks"] == 0, counted)

    def late(self):
        return sum(line.late for line in self.lines.values())

    def counted(self, begin, end):
        names = ("commands", "replies", "naks", *LOSSES)
        return {
            reader: {
                name: getattr(end[reader].counters, name) - getattr(begin[reader].counters, name)
                for name in names
            }
            for reader in self.good
        }

    # Cards.

    def entries(self, customer, from_index):
        page = read_page(*self.customer(customer), from_index)
        return [told(leaf) for leaf in page.leaves if leaf.kind == LEAF_ENTRY]

    def length(self, customer):
        return read_page(*self.customer(customer), 0).total_size

    def swipe(self, reader, customer, card, entry, is_done):
        """Shows a card until something is done; once, unless this process was late meanwhile."""
        what = f"{card} at {customer}'s door"
        bits, digits = CARDS[card]
        for _ in range(TRIES_MAX):
            before, late = self.length(customer), reader.line.late
            self.before = before
            must(f"libosdp takes {card}", reader.present(bits, bytes.fromhex(digits)))
            is_whole = lambda: is_done() and self.entries(customer, before) == [entry]
            done = self.look_for(DONE_WITHIN_S, is_whole)
            entries = self.entries(customer, before)
            self.expected[customer] += entries
            if done:
                return
            must(f"{what} has its effect", reader.line.late > late, entries, reader.done[-6:])
            must(f"{what} has one entry at most", entries in ([], [entry]), entries)
            print(f"again: this process was late: {entries}", flush=True)
        must(f"{what} has its effect", False)

    def denied(self, reader, customer, card, subject):
        """A card that opens nothing: an entry, a red light, and no output."""
        blinks, opened = reader.lights().count((LED_RED, LED_BLACK)), len(reader.outputs())
        is_done = lambda: reader.lights().count((LED_RED, LED_BLACK)) > blinks
        self.swipe(reader, customer, card, (LEAF_ENTRY, DENIAL, subject), is_done)
        ok(f"{card} at {customer}'s door: the denial is in the feed, and the reader blinks red")
        holds("and no output was switched", len(reader.outputs()) == opened, reader.done[-6:])

    def granted(self, reader, customer, card, output):
        """A card that opens: libosdp's own callback finds the entry in the customer's feed."""
        opened, at = len(reader.outputs()), []
        want = (LEAF_ENTRY, GRANT, card)

        def on_output(number):
            at.append(time.monotonic())
            found = self.entries(customer, self.before)
            return [] if (found, number) == ([want], output) else [(found, number)]

        reader.on_output = on_output
        begin = time.monotonic()
        self.swipe(reader, customer, card, want, lambda: len(reader.outputs()) > opened)
        reader.on_output = None
        must("libosdp's callback finds the grant in the feed", not reader.failures,
             reader.failures)
        self.swipes_s.append(at[0] - begin)

    def forced(self):
        """The contact opens, and nobody was granted."""
        before = self.length("acme")
        taken = [self.cage.contacts(0, 0), self.cage.contacts(1, 0)]
        holds("libosdp has contacts to tell", all(taken), taken)

        def is_there():
            leaves = read_page(*self.customer("acme"), before).leaves
            return (LEAF_DOOR_EVENT, DOOR_FORCED, None) in [told(leaf) for leaf in leaves]

        self.wait("acme's door was forced, says the feed", DONE_WITHIN_S, is_there)
        self.cage.contacts(0, 0)

    def cards(self):
        self.denied(self.cage, "acme", "unknown", "unknown_card")
        self.denied(self.cage, "acme", "B-100", "pseudonym")
        self.forced()
        self.granted(self.cage, "acme", "A-100", 1)
        ok("A-100: libosdp's callback for the output finds the grant in acme's feed")
        self.denied(self.cage, "acme", "misread", "unknown_card")
        self.denied(self.vault, "bolt", "A-100", "pseudonym")
        for _ in range(SWIPES):
            self.granted(self.vault, "bolt", "B-100", 0)
            self.granted(self.cage, "acme", "A-100", 1)
        ok(f"and {SWIPES} more times at each of two lines")
        lit = [on for on, _ in self.cage.lights()]
        holds("a grant shows green", LED_GREEN in lit, self.cage.done)
        middle = statistics.median(self.swipes_s) * 1000
        worst = max(self.swipes_s) * 1000
        print(f"from card to output: median {middle:.1f} ms, longest {worst:.1f} ms", flush=True)

    def refusals(self):
        for name, status in self.statuses().items():
            if name in self.good:
                # The library's Python binding cannot answer ISTAT; contacts come as events.
                is_well = status.counters.naks <= 1 or self.good[name].line.late
                holds(f"{name}: refused nothing but ISTAT", is_well, status)

    # A lost reply. libosdp answers the repeated command as one outside the session, so that a new
    # one has to be begun.

    def lost(self):
        begun = self.statuses()["cage-outside"].counters.sessions
        self.sessions["cage-outside"] += 1
        self.cage.lose_reply()

        def is_up_again():
            status = self.statuses()["cage-outside"]
            return status.counters.sessions > begun and self.state(status) == "SECURE"

        begin = time.monotonic()
        self.wait("after a lost reply there is a new session", BACK_WITHIN_S, is_up_again)
        print(f"it took {(time.monotonic() - begin) * 1000:.0f} ms", flush=True)
        self.granted(self.cage, "acme", "A-100", 1)
        ok("and it opens the door")

    # At the end.

    def books(self):
        for customer, want in self.expected.items():
            leaves, _ = read_feed(*self.customer(customer))
            found = [told(leaf) for leaf in leaves if leaf.kind == LEAF_ENTRY]
            holds(f"{customer}'s feed has each card once, and no impostor's", found == want, found)
        statuses = self.statuses()
        for name, reader in self.good.items():
            counters, sessions = statuses[name].counters, self.sessions[name]
            is_well = (counters.cards, counters.sessions) == (reader.cards, sessions)
            fact = f"{name}: each of {reader.cards} cards was counted, in {sessions} sessions"
            holds(fact, is_well or reader.line.late, counters)
        for name, reader in self.impostors.items():
            status = statuses[name]
            trusted = self.state(status) in ("SECURE", "PLAIN") or status.counters.cards
            holds(f"{name}: is still not trusted", not trusted, status)
            holds(f"{name}: was told nothing", not reader.done, reader.done)

    def run(self):
        self.up()
        self.refused()
        self.polls()
        self.cards()
        self.refusals()
        self.lost()
        self.books()
        for line in self.lines.values():
            line.close()


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        Peer(json.load(file)).run()
    print("all facts hold", flush=True)
