"""libosdp as the control panel of one reader on a serial port.

Arguments: port, address, key in hexadecimal, and a card that it grants, if any. Prints what happens, a line each; obeys lines of
its standard input until that ends.
"""

import os
import queue
import sys
import termios
import threading
import time
import tty

from osdp import (
    Channel,
    Command,
    CommandLEDColor,
    ControlPanel,
    Event,
    LibFlag,
    LogLevel,
    PDInfo,
)

START = 0x53
FRAME_BYTES_MIN = 7
FRAME_BYTES_MAX = 1440


class WholeFrames(Channel):
    """Hands over one whole frame at a time: the library loses those that come in parts."""

    def __init__(self, path):
        super().__init__()
        self.port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.port, termios.TCSANOW)
        self.waiting = bytearray()

    def read(self, max_bytes):
        try:
            self.waiting += os.read(self.port, 4096)
        except BlockingIOError:
            pass
        while self.waiting:
            start = self.waiting.find(bytes([START]))
            if start < 0:
                self.waiting.clear()
                break
            del self.waiting[:start]
            if len(self.waiting) < 4:
                break
            length = int.from_bytes(self.waiting[2:4], "little")
            if not FRAME_BYTES_MIN <= length <= FRAME_BYTES_MAX:
                del self.waiting[:1]
                continue
            if len(self.waiting) < length:
                break
            frame = bytes(self.waiting[:length])
            del self.waiting[:length]
            return frame
        return b""

    def write(self, data):
        return os.write(self.port, data)

    def flush(self):
        self.waiting.clear()


def say(*words):
    print(">", *words, flush=True)


granted = queue.SimpleQueue()


def on_event(_reader, event):
    kind = event["event"]
    if kind == Event.CardRead:
        if sys.argv[4:] == [event["data"].hex()]:
            granted.put("out 0 5 3")
        say("card", event["format"], event["length"], event["data"].hex())
    elif kind == Event.KeyPress:
        say("keys", event["data"].hex())
    elif kind == Event.Status:
        say("status", event["type"], event["report"].hex())
    return 0


def obey(panel, address, line):
    command, *numbers = line.split()
    numbers = [int(number) for number in numbers]
    if command == "out":
        output, code, timer = numbers
        order = {
            "command": Command.Output,
            "output_no": output,
            "control_code": code,
            "timer_count": timer,
        }
    elif command == "led":
        order = {
            "command": Command.LED,
            "reader": 0,
            "led_number": numbers[0],
            "control_code": 1,
            "on_count": 10,
            "off_count": 10,
            "on_color": CommandLEDColor.Green,
            "off_color": CommandLEDColor.Black,
            "timer_count": 10,
            "temporary": True,
        }
    elif command == "text":
        order = {
            "command": Command.Text,
            "reader": 0,
            "control_code": 1,
            "temp_time": 20,
            "offset_row": 1,
            "offset_col": 1,
            "data": "WELCOME",
        }
    elif command == "buzzer":
        order = {
            "command": Command.Buzzer,
            "reader": 0,
            "control_code": 2,
            "on_count": 1,
            "off_count": 1,
            "rep_count": 3,
        }
    else:
        raise SystemExit(f"unknown order {line!r}")
    say("sent" if panel.submit_command(address, order) else "not-sent", command)


def main():
    path, address, key = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
    channel = WholeFrames(path)
    info = PDInfo(address, channel, scbk=key, flags=[LibFlag.EnforceSecure])
    panel = ControlPanel([info], log_level=LogLevel.Debug, event_handler=on_event)
    panel.start()

    def watch():
        was = None
        while panel.thread is not None:
            now = panel.is_online(address) and panel.is_sc_active(address)
            if now != was:
                say("secure" if now else "insecure")
                was = now
            while not granted.empty():
                obey(panel, address, granted.get())
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    for line in sys.stdin:
        obey(panel, address, line)
    os._exit(0)


main()
