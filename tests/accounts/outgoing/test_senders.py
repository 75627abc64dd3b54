"""What is written on the wire, against real listeners."""

import hashlib
import hmac
import json
import re
import socket
import stat

import pytest

from accounts.outgoing.causes import NotSent
from accounts.outgoing.senders import email, file, otlp, syslog, webhook
from tests.accounts.outgoing.receivers import Listener, certificate, make_event, make_parcel


# -- webhook -------------------------------------------------------------------------------------------
def test_a_webhook_is_signed_with_each_secret_that_is_good(receiver):
    accepted = webhook.send(make_parcel(receiver.url, secrets=("khs_new", "khs_old")))

    _, headers, body = receiver.requests[0]
    at, *proofs = headers["Keyhaven-Signature"].split(",")
    signed = at.removeprefix("t=").encode() + b"." + body
    assert accepted.status == 200
    assert proofs == [
        f"v1={hmac.new(key, signed, hashlib.sha256).hexdigest()}" for key in (b"khs_new", b"khs_old")
    ]
    assert headers["Keyhaven-Delivery"] == json.loads(body)["id"] == "delivery-1"
    assert headers["User-Agent"].startswith("Keyhaven/")
    assert json.loads(body)["events"][0]["id"] == "1-7"


@pytest.mark.parametrize(
    ("status", "headers", "cause", "after"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, "redirect", None),
        (401, {}, "unauthorized", None),
        (403, {}, "unauthorized", None),
        (404, {}, "refused", None),
        (410, {}, "gone", None),
        (429, {"Retry-After": "17"}, "too_many", 17.0),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "ill", 0.0),
        (500, {"Retry-After": "soon"}, "ill", None),
    ],
)
def test_an_answer_that_is_not_2xx_is_no(receiver, status, headers, cause, after):
    receiver.answers = [(status, headers, b"what a vendor says: hunter2")]

    with pytest.raises(NotSent) as caught:
        webhook.send(make_parcel(receiver.url))

    assert (caught.value.cause, caught.value.status, caught.value.after) == (cause, status, after)
    assert "hunter2" not in str(caught.value)
    assert len(receiver.requests) == 1


def test_what_cannot_be_reached_says_why(tmp_path):
    context, _ = certificate(tmp_path)
    untrusted = Listener(context)
    causes = {
        "http://127.0.0.1:1/": "unreachable",
        "http://metadata.google.internal/": "forbidden",
        f"https://127.0.0.1:{untrusted.port}/": "tls",
    }

    found = {}
    for address in causes:
        with pytest.raises(NotSent) as caught:
            webhook.send(make_parcel(address))
        found[address] = caught.value.cause

    untrusted.close()
    assert found == causes


def test_syslog_does_not_call_a_metadata_service_either():
    with pytest.raises(NotSent) as caught:
        syslog.send(make_parcel("tcp://metadata.google.internal:514"))

    assert caught.value.cause == "forbidden"


# -- OpenTelemetry -------------------------------------------------------------------------------------
def test_a_collector_gets_log_records(receiver):
    event = make_event(at="2026-11-21T09:30:00.000001+00:00", cluster="prod", details={"cause": "x"})

    otlp.send(make_parcel(receiver.url.replace("/hook", ""), event, secrets=("Authorization: Bearer abc",)))

    path, headers, body = receiver.requests[0]
    log = json.loads(body)["resourceLogs"][0]
    record = log["scopeLogs"][0]["logRecords"][0]
    attributes = {one["key"]: one["value"] for one in record["attributes"]}
    assert (path, headers["Authorization"]) == ("/v1/logs", "Bearer abc")
    assert log["resource"]["attributes"][0] == {"key": "service.name", "value": {"stringValue": "keyhaven"}}
    assert record["timeUnixNano"] == "1795253400000001000"
    assert record["body"] == {"stringValue": "Marie failed at Deploy 4 of prod"}
    assert (record["severityNumber"], record["severityText"]) == (17, "ERROR")
    assert attributes["keyhaven.event.id"] == {"stringValue": "1-7"}
    assert attributes["keyhaven.event.sequence"] == {"intValue": "7"}
    assert attributes["keyhaven.details"] == {"stringValue": '{"cause": "x"}'}


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "no"}}', "partly"),
        (b'{"partialSuccess": {}}', ""),
        (b"[]", ""),
        (b"\xff", ""),
    ],
)
def test_a_collector_that_takes_a_part_is_not_asked_again(receiver, body, cause):
    receiver.answers = [(200, {}, body)]

    assert otlp.send(make_parcel(receiver.url)).cause == cause


# -- syslog --------------------------------------------------------------------------------------------
def frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        length, _, data = data.partition(b" ")
        found.append(data[: int(length)])
        data = data[int(length) :]
    return found


def test_syslog_over_tcp_counts_octets(receiver):
    listener = Listener()
    events = [
        make_event(id=f"1-{n}", sequence=n, sentence=f"Zoë finished ✓ {n}\nnot a line") for n in (1, 2, 3)
    ]

    syslog.send(make_parcel(f"tcp://127.0.0.1:{listener.port}", *events))

    listener.close()
    assert listener.done.wait(5)
    lines = frames(listener.read[0])
    assert len(lines) == 3
    assert [re.search(rb'sequence="(\d)"', line)[1] for line in lines] == [b"1", b"2", b"3"]
    assert not any(b"\n" in line for line in lines)


def test_syslog_over_tls_is_verified(tmp_path, monkeypatch):
    context, path = certificate(tmp_path)
    listener = Listener(context)
    parcel = make_parcel(f"tls://127.0.0.1:{listener.port}")
    with pytest.raises(NotSent) as caught:
        syslog.send(parcel)
    monkeypatch.setenv("SSL_CERT_FILE", path)

    listener.done.clear()
    syslog.send(parcel)

    assert listener.done.wait(5)
    listener.close()
    assert caught.value.cause == "tls"
    assert len(frames(listener.read[-1])) == 1


def test_a_receiver_that_resets_has_not_accepted():
    listener = Listener(resets=True)

    with pytest.raises(NotSent) as caught:
        syslog.send(make_parcel(f"tcp://127.0.0.1:{listener.port}"))

    listener.close()
    assert caught.value.cause == "broken"


def test_syslog_by_datagram_is_one_an_event():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        port = listener.getsockname()[1]

        syslog.send(
            make_parcel(f"udp://127.0.0.1:{port}", make_event(), make_event(details={"x": "y" * 5000}))
        )

        first, second = listener.recv(65536), listener.recv(65536)
    assert first.startswith(b"<107>1 ")
    assert len(second) <= 1400


def test_a_message_is_as_rfc_5424_says():
    event = make_event(
        at="2026-11-21T09:30:00.123456+00:00",
        actor={"id": "7", "name": 'a"]\\\r\n<1>x', "roles": "", "token": ""},
    )

    line = syslog.message(event).decode()

    shape = re.fullmatch(
        r"<(?P<pri>\d+)>1 (?P<at>\S+) (?P<host>\S+) keyhaven - deploy\.failed "
        r'\[keyhaven@32473(?P<data>( \w+="([^"\\\]]|\\["\\\]])*")+)\] \ufeff(?P<text>.*)',
        line,
    )
    assert shape is not None
    assert (shape["pri"], shape["at"]) == ("107", "2026-11-21T09:30:00.123456Z")
    assert 'actor="a\\"\\]\\\\#000D#000A<1>x"' in shape["data"]


@pytest.mark.parametrize("sign", ["\n", "\r", "\0", "\x1b", "\u2028", "\u202e", "\x85"])
def test_nothing_in_an_event_breaks_a_line_or_drives_a_terminal(sign):
    event = make_event(sentence=f"a{sign}b", organization=f"c{sign}", details={"x": sign})

    line = syslog.message(event).decode()

    assert sign not in line
    assert f"a#{ord(sign):04X}b" in line


def test_a_message_is_not_too_long():
    event = make_event(sentence="ü" * 9000, details={"x": "y" * 9000})

    line = syslog.message(event)

    assert len(line) <= 8192
    assert line.decode().endswith("ü")


# -- file ----------------------------------------------------------------------------------------------
def lines_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_has_a_line_for_each_event_and_is_opened_anew_after_rotation(tmp_path, settings):
    settings.AUDIT_FILES_DIR = str(tmp_path)
    path = file.path_of(1, "audit.jsonl")

    file.send(make_parcel("audit.jsonl", make_event(id="1-1"), make_event(id="1-2")))
    path.rename(tmp_path / "audit.1")
    file.send(make_parcel("audit.jsonl", make_event(id="1-3")))

    assert [one["id"] for one in lines_of(tmp_path / "audit.1")] == ["1-1", "1-2"]
    assert [one["id"] for one in lines_of(path)] == ["1-3"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_a_line_that_was_left_half_is_ended_first(tmp_path, settings):
    settings.AUDIT_FILES_DIR = str(tmp_path)
    path = file.path_of(1, "audit.jsonl")
    path.parent.mkdir()
    path.write_text('{"id": "1-1"')

    file.send(make_parcel("audit.jsonl", make_event(id="1-1")))

    assert path.read_text().splitlines()[0] == '{"id": "1-1"'
    assert json.loads(path.read_text().splitlines()[1])["id"] == "1-1"


@pytest.mark.parametrize(
    "name", ["../audit.jsonl", "/etc/audit.jsonl", "a/b.jsonl", ".jsonl", "audit.txt", "a\n.jsonl"]
)
def test_a_file_is_nowhere_else(tmp_path, settings, name):
    settings.AUDIT_FILES_DIR = str(tmp_path)

    with pytest.raises(Exception, match=r"Use a name such as audit\.jsonl"):
        file.send(make_parcel(name))


def test_a_link_in_the_folder_leads_nowhere(tmp_path, settings):
    settings.AUDIT_FILES_DIR = str(tmp_path / "files")
    path = file.path_of(1, "audit.jsonl")
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotSent) as caught:
        file.send(make_parcel("audit.jsonl"))

    assert caught.value.cause == "file"
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_no_half_line(settings):
    """/dev/full refuses every byte, as a full disk does."""
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb", buffering=0) as full:
        file._write(full.fileno(), b"x" * 10)


def test_no_file_without_the_operators_leave(settings):
    settings.AUDIT_FILES_DIR = ""

    with pytest.raises(NotSent) as caught:
        file.send(make_parcel("audit.jsonl"))

    assert caught.value.cause == "no_files"


# -- e-mail --------------------------------------------------------------------------------------------
def test_a_mail_tells_several_events_and_where_to_look(mailoutbox):
    one = make_event(
        target={"type": "deploy", "id": "x", "name": "Deploy 4 of prod"},
        cluster="prod",
        details={"error": "vendor"},
    )
    two = make_event(
        sentence="Keyhaven found that the access aws fails",
        action="access.failing",
        target={"type": "access", "id": "x", "name": "aws"},
        cluster="prod",
        details={"cause": "The role may not be assumed."},
    )

    email.send(make_parcel("a@example.com,b@example.com", one, two))

    mail = mailoutbox[0]
    assert mail.to == ["a@example.com", "b@example.com"]
    assert mail.subject == "[Acme] Marie failed at Deploy 4 of prod, and 1 more"
    assert "http://localhost:8000/o/acme/clusters/prod/deploys/4/" in mail.body
    assert "http://localhost:8000/o/acme/clusters/prod/secret-managers/aws/" in mail.body
    assert "Cause: The role may not be assumed." in mail.body
    assert "vendor" not in mail.body
    assert mail.extra_headers["Message-ID"] == "<delivery-1@localhost>"


def test_a_mail_has_one_line_of_subject_and_at_most_fifty_events(mailoutbox):
    events = [make_event(sentence="a\r\nBcc: evil@example.com", id=f"1-{n}") for n in range(60)]

    email.send(make_parcel("a@example.com", *events))

    mail = mailoutbox[0]
    assert "\n" not in mail.subject
    assert list(mail.message().get_all("Bcc", [])) == []
    assert "And 10 more" in mail.body


def test_a_mail_server_that_is_away_is_no_loss(settings):
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": 1, "timeout": 2},
        }
    }

    with pytest.raises(NotSent) as caught:
        email.send(make_parcel("a@example.com"))

    assert caught.value.cause == "mail"
