"""OSDP lines on pseudo-terminals, with peripherals of libosdp on them.

A line is served by one thread of its own: it hands every frame to every peripheral on the line, as
a wire does, and runs them at once. libosdp loses frames that come in more than one read, so a
channel hands over whole ones.
"""

import collections
import os
import select
import threading
import time
import tty

import osdp

START, LEN_BYTES_MIN, LEN_BYTES_MAX = 0x53, 8, 1440
IDLE_S = 0.005  # how long a line waits for bytes before its peripherals run for their own timers
LATE_S = 0.15  # a frame that lies for longer may not be answered within the 200 ms of OSDP
ENERGISING = (2, 4, 5)  # control codes of OUT that switch an output on (OSDP 2.2, osdp_OUT)
CAPABILITIES = (
    (osdp.Capability.ContactStatusMonitoring, 1, 2),
    (osdp.Capability.OutputControl, 1, 2),
    (osdp.Capability.CardDataFormat, 1, 1),
    (osdp.Capability.LEDControl, 1, 1),
    (osdp.Capability.AudibleControl, 1, 1),
)
# The library gives back a reference to None that it never took, once for each command; where the
# count can run out (before Python 3.12) it is given some to waste.
_SPARE = [None] * 100_000


def cut(buffer):
    """Takes the whole frames out of a buffer; what cannot begin a frame is dropped."""
    frames = []
    while (start := buffer.find(START)) >= 0:
        del buffer[:start]
        if len(buffer) < 4:
            return frames
        length = buffer[2] | buffer[3] << 8
        if not LEN_BYTES_MIN <= length <= LEN_BYTES_MAX:
            del buffer[0]
            continue
        if len(buffer) < length:
            return frames
        frames.append(bytes(buffer[:length]))
        del buffer[:length]
    buffer.clear()
    return frames


class Channel(osdp.Channel):
    """What libosdp reads from and writes to: whole frames."""

    def __init__(self, send):
        super().__init__()
        self.send, self.frames = send, collections.deque()
        self.losing = 0  # replies that are still to be lost

    def read(self, max_bytes):
        return self.frames.popleft() if self.frames else b""

    def write(self, buf):
        if self.losing:
            self.losing -= 1
        else:
            self.send(bytes(buf))
        return len(buf)

    def flush(self):
        self.frames.clear()


class Reader:
    """A peripheral of libosdp: what it was told to do, and what it shows."""

    def __init__(self, line, address, key, flags, serial):
        self.line, self.address = line, address
        self.done = []  # what it was told, oldest first: ("output", number, code, timer), ...
        self.on_output = None  # called with an output's number while libosdp switches it on
        self.failures = []  # what `on_output` had to say
        self.cards = 0
        self.identity = osdp.PdId(3, 7, 0xC0FFEE, serial, 0x030201)
        # libosdp does not own the channel: it has to live as long as the peripheral does.
        self.channel = Channel(line.send)
        info = osdp.PDInfo(address, self.channel, scbk=key, flags=flags, id=self.identity)
        self.device = osdp.PeripheralDevice(
            info,
            osdp.PDCapabilities(CAPABILITIES),
            log_level=osdp.LogLevel.Critical,
            command_handler=self._told,
        )

    def is_secure(self):
        with self.line.lock:
            return self.device.is_sc_active()

    def present(self, bits, data):
        """Shows a card; says whether libosdp took it."""
        event = {
            "event": osdp.Event.CardRead,
            "reader_no": 0,
            "direction": 0,
            "format": osdp.CardFormat.Wiegand,
            "length": bits,
            "data": data,
        }
        with self.line.lock:
            taken = self.device.ctx.submit_event(event)
            self.cards += bool(taken)
            return taken

    def contacts(self, *active):
        """Tells, as an event, which of its contacts are active."""
        event = {
            "event": osdp.Event.Status,
            "type": osdp.StatusReportType.Input,
            "report": bytes(active),
        }
        with self.line.lock:
            return self.device.ctx.submit_event(event)

    def lose_reply(self):
        """The next reply does not reach the line."""
        with self.line.lock:
            self.channel.losing += 1

    def outputs(self):
        """The commands that switched an output on."""
        with self.line.lock:
            return [told for told in self.done if told[0] == "output" and told[2] in ENERGISING]

    def lights(self):
        """What its light was switched to: colours while it is on and, blinking, while it is off."""
        with self.line.lock:
            return [told[1:3] for told in self.done if told[0] == "light"]

    def _told(self, command):
        """Called by libosdp inside its refresh, so under the line's lock. Must not raise."""
        kind = command["command"]
        if kind == osdp.Command.Output:
            told = (command["output_no"], command["control_code"], command["timer_count"])
            if self.on_output and told[1] in ENERGISING:
                self.failures.extend(self.on_output(command["output_no"]))
            self.done.append(("output", *told))
        elif kind == osdp.Command.LED:
            self.done.append(("light", command["on_color"], command["off_color"]))
        elif kind != osdp.Command.Status:
            self.done.append((f"command {kind}",))
        self.line.news.notify_all()
        return 0, None


class Line:
    """A pseudo-terminal under a stable path."""

    def __init__(self, path):
        self.master, slave = os.openpty()
        tty.setraw(self.master)
        tty.setraw(slave)
        self.path = path
        os.symlink(os.ttyname(slave), path)
        # It stays open: without any opener the other end would see a hang-up again and again.
        self.slave = slave
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.readers = []
        self.late = 0  # how often this process may have let a frame lie for too long
        self.is_open = True
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def add(self, address, key, flags=(), serial=1):
        reader = Reader(self, address, key, list(flags), serial)
        self.readers.append(reader)
        return reader

    def start(self):
        self.thread.start()

    def close(self):
        self.is_open = False
        self.thread.join()

    def send(self, data):
        os.write(self.master, data)

    def _serve(self):
        buffer, seen = bytearray(), time.monotonic()
        while self.is_open:
            ready, _, _ = select.select([self.master], [], [], IDLE_S)
            if ready:
                buffer += os.read(self.master, 4096)
            frames = cut(buffer)
            with self.lock:
                for frame in frames or [None]:
                    self._run(frame)
            now = time.monotonic()
            # From before the wait: a thread that was not run is late as well.
            self.late += now - seen >= LATE_S
            seen = now

    def _run(self, frame):
        for reader in self.readers:
            if frame is not None:
                reader.channel.frames.append(frame)
            reader.device.ctx.refresh()
