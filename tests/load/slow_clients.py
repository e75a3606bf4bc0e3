#!/usr/bin/env python3
"""Clients that dribble their head, dribble their body or do not read their reply, beside event
streams that only wait, all at once: the health probe stays fast, memory small, each slow client is
gone two seconds after its deadline, and streams that vanish are freed within two heartbeats."""
import argparse
import asyncio
import resource
import socket
import sys
import time

from idle_streams import IdleStreams, gauge
from service import Service, call, percentile, request_text, verdict

DEADLINE = {"head": 5, "body": 30, "read": 60}
BODY = 4000
PIPELINED = 30
UNREAD_KIB = 400


async def open_socket(port, room=None):
    s = socket.socket()
    s.setblocking(False)
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    await asyncio.get_running_loop().sock_connect(s, ("127.0.0.1", port))
    return s


def pieces(kind):
    """What is sent at once, then one of these a second, the last one again and again. The request
    line ends late, because that must not start another time limit."""
    if kind == "head":
        return b"POST /sample HTTP/1.", [b"1", b"\r\n", b"H"]
    text = request_text("POST", "/sample", " " * BODY)
    return text[:len(text) - BODY], [b" "]


async def dribble(port, kind, ends):
    """Sends a byte a second until the daemon has had enough of it."""
    loop = asyncio.get_running_loop()
    begin = time.monotonic()
    s = await open_socket(port)
    first, rest = pieces(kind)
    await loop.sock_sendall(s, first)
    gone = asyncio.ensure_future(loop.sock_recv(s, 1))
    try:
        while not gone.done():
            await asyncio.wait([gone], timeout=1)
            if not gone.done():
                await loop.sock_sendall(s, rest[0])
                rest = rest[1:] or rest
    except OSError:
        pass
    ends.append((kind, time.monotonic() - begin))
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    s.close()


async def read_nothing(port, ends, seconds):
    """Asks for more than the kernel keeps, reads a byte a second of it, in the end all there is."""
    loop = asyncio.get_running_loop()
    begin = time.monotonic()
    s = await open_socket(port, 2048)
    # one reply may fit into the kernel's buffers, so that the daemon is done with it; these do not
    await loop.sock_sendall(s, PIPELINED * b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n")
    got = 0
    try:
        while time.monotonic() - begin < seconds:
            await asyncio.sleep(1)
            got += len(await asyncio.wait_for(loop.sock_recv(s, 1), 5))
    except (OSError, asyncio.TimeoutError):
        pass
    # the daemon has shut its side: no more than what lay in the two buffers can be read
    try:
        while chunk := await asyncio.wait_for(loop.sock_recv(s, 65536), 5):
            got += len(chunk)
    except (OSError, asyncio.TimeoutError):
        pass
    ends.append(("read", got))
    s.close()


async def probe(ports, until, times):
    while time.monotonic() < until:
        for port in ports:
            reply = await call(port, "GET", "/healthz")
            times.append(reply.seconds if reply.status == 200 else 1e9)
        await asyncio.sleep(0.05)


async def watch(service, until, peak):
    while time.monotonic() < until:
        peak[0] = max(peak[0], service.resident_mib())
        await asyncio.sleep(0.2)


async def start_clients(service, args, kinds, ends, seconds):
    tasks = []
    for i in range(args.clients):
        kind = kinds[i % len(kinds)]
        one = read_nothing(service.port, ends, seconds) if kind == "read" else \
            dribble(service.port, kind, ends)
        tasks.append(asyncio.create_task(one))
        if i % 50 == 49:
            await asyncio.sleep(0.01)
    return tasks


async def run(service, args, kinds):
    """All that was seen, by name."""
    seen = {"ends": [], "times": [], "peak": [0.0]}
    streams = IdleStreams(service)
    await streams.start(args.streams)
    last = max(DEADLINE[k] for k in kinds) + 2
    until = time.monotonic() + last
    tasks = [asyncio.create_task(probe((service.port, service.admin), until, seen["times"])),
             asyncio.create_task(watch(service, until, seen["peak"]))]
    tasks += await start_clients(service, args, kinds, seen["ends"], last)
    await asyncio.sleep(2)
    seen["most"] = await gauge(service, "ebm_http_connections")
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    seen["left"] = await gauge(service, "ebm_http_connections") - args.streams
    await asyncio.gather(*tasks)
    seen["streams"], seen["freed"] = await streams.vanish(4 * args.heartbeat + 10)
    return seen


def judge(args, seen, code):
    """Promises that are broken, and those about time that are."""
    broken, slow = [], []
    late = [k for k, t in seen["ends"] if k != "read" and t > DEADLINE[k] + 2]
    if seen["most"] < args.clients + args.streams:
        broken.append("not all of them were connected at once")
    if percentile(seen["times"], 99) >= 0.2:
        slow.append("the health probe took 200 ms and more")
    if seen["peak"][0] >= 400:
        broken.append("400 MiB and more")
    if late or seen["left"] > 1:
        slow.append("connections outlived their deadline by two seconds")
    if most_unread(seen) >= UNREAD_KIB:
        broken.append("a client that does not read is sent more than its share")
    if seen["streams"] != args.streams:
        broken.append("event streams were lost")
    if seen["freed"] == float("inf"):
        broken.append("vanished streams are never freed")
    elif seen["freed"] > 2 * args.heartbeat + 1:
        slow.append("vanished streams were held for more than two heartbeats")
    if code != 0:
        broken.append("the exit status")
    return broken, slow


def most_unread(seen):
    return max((t for k, t in seen["ends"] if k == "read"), default=0) / 1024


def figures(args, seen, kinds, code):
    ends, times = seen["ends"], seen["times"]
    return {"clients": args.clients, "kinds": kinds, "streams": seen["streams"],
            "open_at_once": seen["most"], "probes": len(times),
            "probe_p50_ms": round(percentile(times, 50) * 1e3, 1),
            "probe_p99_ms": round(percentile(times, 99) * 1e3, 1),
            "rss_peak_mib": round(seen["peak"][0], 1), "unread_max_kib": round(most_unread(seen)),
            "late": sum(k != "read" and t > DEADLINE[k] + 2 for k, t in ends),
            "open_at_the_end": seen["left"],
            "slowest_end_s": {k: round(max((t for e, t in ends if e == k), default=0), 2)
                              for k in kinds if k != "read"},
            "streams_freed_s": round(seen["freed"], 2), "heartbeat_s": args.heartbeat,
            "exit": code}


def allow_files(wanted):
    """Raises the soft limit of open files, which Debian sets to 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"slow_clients: {wanted} open files are needed, {hard} allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--kinds", default="head", help="of head,body,read")
    parser.add_argument("--streams", type=int, default=100, help="event streams beside them")
    parser.add_argument("--heartbeat", type=int, default=1, help="of the streams, in seconds")
    parser.add_argument("--strict", action="store_true", help="promises about time count too")
    args = parser.parse_args()
    kinds = args.kinds.split(",")
    allow_files(args.clients + args.streams + 200)
    with Service(args.build, levels=400) as s:
        s.start("--store", "memory", "--workers", "1", "--slots", "1",
                "--queue-work", "999999999", "--stream-heartbeat", str(args.heartbeat),
                "--streams", str(max(1, args.streams)),
                "--connections", str(args.clients * 5 // 4 + 2 * args.streams + 64))
        seen = asyncio.run(run(s, args, kinds))
        code, _ = s.stop()
    return verdict(figures(args, seen, kinds, code), *judge(args, seen, code))


if __name__ == "__main__":
    sys.exit(main())
