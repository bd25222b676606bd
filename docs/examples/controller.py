"""A door controller in Python: authorizes, repeats, reports.

Needs grpcio and grpcio-reflection (which brings protobuf) and nothing else: the message classes
come from the server itself, by reflection. docs/integrators.md says what the calls mean.

    python controller.py --server 127.0.0.1:7443 --identity ./gate-1 \\
        --access-point cage-in --card H10301:26:95181cc0
"""

import argparse
import dataclasses
import os
import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

DEADLINE_S = 0.5  # one try; somebody stands at the door
PAUSES_S = (0.0, 0.05, 0.1)  # before each try: three at most
BATCH_MAX = 200  # events in one ReportDoorEvents
OWN_RULES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
NO_ANSWER = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
)


class CallError(Exception):
    """A status other than OK. `reason` is empty where the line failed and no server spoke."""

    def __init__(self, code, message, reason="", details=None):
        super().__init__(f"{code.name} {reason or '(no reason)'}: {message}")
        self.code, self.reason, self.details = code, reason, details or {}

    @property
    def may_pass(self):
        """Whether the very same request may bring an answer at once."""
        return not self.reason and self.code in NO_ANSWER

    @property
    def means_own_rules(self):
        """Whether the controller now decides by itself and hands the attempt in later."""
        return self.may_pass or self.code in OWN_RULES


@dataclasses.dataclass(frozen=True)
class Card:
    """A card as the reader hands it over; the first bit is the highest of the first byte."""

    format: str
    bit_length: int
    bits: bytes


def _error_classes():
    """Builds google.rpc.Status and ErrorInfo, as far as they are read here."""
    text, many = descriptor_pb2.FieldDescriptorProto, 3
    file = descriptor_pb2.FileDescriptorProto(name="errors.proto", package="e", syntax="proto3")

    def message(name, *fields):
        built = file.message_type.add(name=name)
        for number, field, kind, label, type_name in fields:
            built.field.add(
                name=field, number=number, type=kind, label=label, type_name=type_name
            )

    string, of_bytes, other = text.TYPE_STRING, text.TYPE_BYTES, text.TYPE_MESSAGE
    message("Any", (1, "type_url", string, 1, None), (2, "value", of_bytes, 1, None))
    message("Status", (3, "details", other, many, ".e.Any"))
    # On the wire a map is a list of pairs.
    message("Pair", (1, "key", string, 1, None), (2, "value", string, 1, None))
    message("ErrorInfo", (1, "reason", string, 1, None), (3, "metadata", other, many, ".e.Pair"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"e.{name}"))
        for name in ("Status", "ErrorInfo")
    }


_ERRORS = _error_classes()


def call_error(error):
    """Reads code, reason and details of a grpc.RpcError."""
    trailers = dict(error.trailing_metadata() or ())
    status = _ERRORS["Status"].FromString(trailers.get("grpc-status-details-bin", b""))
    for detail in status.details:
        if detail.type_url.endswith("/google.rpc.ErrorInfo"):
            info = _ERRORS["ErrorInfo"].FromString(detail.value)
            pairs = {pair.key: pair.value for pair in info.metadata}
            return CallError(error.code(), error.details(), info.reason, pairs)
    return CallError(error.code(), error.details())


class Api:
    """A connection over mutual TLS, and the messages of sluss.v1 as the server describes them."""

    def __init__(self, address, server_name, ca, certificate, key):
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        options = [
            ("grpc.enable_retries", 0),  # repeats are ours to count
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        if server_name:
            options.append(("grpc.ssl_target_name_override", server_name))
        self.channel = grpc.secure_channel(address, credentials, options)
        self._pool = None

    def close(self):
        self.channel.close()

    def message(self, name, **fields):
        """Makes a message of sluss.v1."""
        return self._class(f"sluss.v1.{name}")(**fields)

    def enum_name(self, enum, number, prefix):
        """Names a value of an enum, without the enum's own prefix."""
        found = self._descriptors().FindEnumTypeByName(f"sluss.v1.{enum}")
        value = found.values_by_number.get(number)
        return value.name.removeprefix(prefix) if value else f"NUMBER_{number}"

    def call(self, service, method, request, timeout=5.0):
        """Calls once. Raises CallError."""
        try:
            descriptor = self._descriptors().FindServiceByName(f"sluss.v1.{service}")
            answer = self._class(descriptor.methods_by_name[method].output_type.full_name)
            stub = self.channel.unary_unary(
                f"/sluss.v1.{service}/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )
            return stub(request, timeout=timeout)
        except grpc.RpcError as error:
            raise call_error(error) from None

    def _descriptors(self):
        if self._pool is None:
            database = ProtoReflectionDescriptorDatabase(self.channel)
            try:
                database.get_services()  # fails here and not half-way if nobody answers
            except grpc.RpcError as error:
                raise call_error(error) from None
            self._pool = descriptor_pool.DescriptorPool(database)
        return self._pool

    def _class(self, full_name):
        return message_factory.GetMessageClass(
            self._descriptors().FindMessageTypeByName(full_name)
        )


class Controller:
    """One run of a door controller. `boot_id` is new at each start."""

    def __init__(self, api, boot_id):
        self.api, self.boot_id = api, boot_id
        self.counter = 0
        self.backlog = []  # a real controller keeps this where a power cut does not reach
        self.last = None

    def authorize(self, access_point, card, pin=""):
        """Asks Sluss under a new number."""
        self.counter += 1
        self.last = self.api.message(
            "AuthorizeRequest",
            access_point=f"accessPoints/{access_point}",
            boot_id=self.boot_id,
            counter=self.counter,
            card=dataclasses.asdict(card),
            pin=pin,
        )
        return self.repeat()

    def repeat(self):
        """Sends the last attempt (again): same number, same body."""
        return self._insist("Authorize", self.last)

    def decided_alone(self, access_point, card, granted):
        """Owes the server an attempt that this controller decided by its own rules."""
        self._owe(
            access_point,
            decided={"card": dataclasses.asdict(card), "decision": 1 if granted else 2},
        )

    def happened(self, access_point, kind):
        """Owes the server a field event; `kind` is a number of DoorEventKind."""
        self._owe(access_point, kind=kind)

    def hand_in(self):
        """Hands in all that is owed, oldest first. What is not acknowledged stays owed."""
        known = []
        while self.backlog:
            batch = self.backlog[:BATCH_MAX]
            request = self.api.message(
                "ReportDoorEventsRequest", boot_id=self.boot_id, events=batch
            )
            answer = self._insist("ReportDoorEvents", request)
            if [a.counter for a in answer.acknowledgements] != [e.counter for e in batch]:
                raise ValueError("the acknowledgements are not those of the events")
            known.extend(answer.acknowledgements)
            del self.backlog[: len(batch)]
        return known

    def _owe(self, access_point, **event):
        self.counter += 1
        self.backlog.append(
            self.api.message(
                "DoorEvent",
                counter=self.counter,
                event_time={"seconds": int(time.time())},
                access_point=f"accessPoints/{access_point}",
                **event,
            )
        )

    def _insist(self, method, request):
        for pause in PAUSES_S:
            time.sleep(pause)
            try:
                return self.api.call("DoorService", method, request, DEADLINE_S)
            except CallError as error:
                failure = error
                if not error.may_pass:
                    break
        raise failure


def open_api(server, server_name, identity):
    """Connects with the ca.pem, cert.pem and key.pem of a folder."""

    def read(name):
        with open(os.path.join(identity, name), "rb") as file:
            return file.read()

    return Api(server, server_name, read("ca.pem"), read("cert.pem"), read("key.pem"))


def read_card(text):
    """Reads FORMAT:BITS:HEX, such as H10301:26:95181cc0."""
    try:
        form, bits, digits = text.split(":")
        return Card(form, int(bits), bytes.fromhex(digits))
    except ValueError:
        message = "expected FORMAT:BITS:HEX such as H10301:26:95181cc0"
        raise argparse.ArgumentTypeError(message) from None


def main():
    parser = argparse.ArgumentParser(description="Shows a card at an access point.")
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--server-name", help="name in the server's certificate, if not HOST")
    parser.add_argument("--identity", required=True, metavar="DIR")
    parser.add_argument("--access-point", required=True, metavar="ID")
    parser.add_argument("--card", required=True, type=read_card, metavar="FORMAT:BITS:HEX")
    parser.add_argument("--pin", default="")
    given = parser.parse_args()
    try:
        api = open_api(given.server, given.server_name, given.identity)
    except OSError as error:
        parser.error(f"--identity: {error}")
    controller = Controller(api, f"example-{time.time_ns()}")
    try:
        answer = controller.authorize(given.access_point, given.card, given.pin)
    except CallError as error:
        print(error, file=sys.stderr)
        return 7 if error.means_own_rules else 1
    decision = api.enum_name("Decision", answer.decision, "DECISION_")
    reasons = [
        api.enum_name("DenialReason", reason, "DENIAL_REASON_") for reason in answer.reasons
    ]
    print(decision, *reasons, answer.entry)
    return 0 if decision == "GRANT" else 3


if __name__ == "__main__":
    sys.exit(main())
