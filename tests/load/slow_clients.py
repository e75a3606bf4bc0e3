#!/usr/bin/env python3
"""Clients that dribble their head, dribble their body or do not read their reply, all at once: the
health probe stays fast, memory small, and each is gone two seconds after its deadline."""
import argparse
import asyncio
import socket
import sys
import time

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


async def open_connections(service):
    reply = await call(service.admin, "GET", "/metrics")
    for line in reply.body.decode().splitlines():
        if line.startswith("ebm_http_connections "):
            return int(float(line.split()[1]))
    return -1


async def run(service, count, kinds):
    ends, times, peak = [], [], [0.0]
    last = max(DEADLINE[k] for k in kinds) + 2
    until = time.monotonic() + last
    tasks = [asyncio.create_task(probe((service.port, service.admin), until, times)),
             asyncio.create_task(watch(service, until, peak))]
    for i in range(count):
        kind = kinds[i % len(kinds)]
        one = read_nothing(service.port, ends, last) if kind == "read" else \
            dribble(service.port, kind, ends)
        tasks.append(asyncio.create_task(one))
        if i % 50 == 49:
            await asyncio.sleep(0.01)
    await asyncio.sleep(2)
    most = await open_connections(service)
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    left = await open_connections(service)
    await asyncio.gather(*tasks)
    return ends, times, peak[0], most, left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--kinds", default="head", help="of head,body,read")
    parser.add_argument("--strict", action="store_true", help="promises about time count too")
    args = parser.parse_args()
    kinds = args.kinds.split(",")
    with Service(args.build, levels=3) as s:
        s.start("--store", "memory", "--connections", str(args.clients * 5 // 4 + 64))
        ends, times, rss, most, left = asyncio.run(run(s, args.clients, kinds))
        code, _ = s.stop()
    late = [k for k, t in ends if k != "read" and t > DEADLINE[k] + 2]
    unread = max((t for k, t in ends if k == "read"), default=0) / 1024
    figures = {"clients": args.clients, "kinds": kinds, "open_at_once": most,
               "probes": len(times), "probe_p50_ms": round(percentile(times, 50) * 1e3, 1),
               "probe_p99_ms": round(percentile(times, 99) * 1e3, 1),
               "rss_peak_mib": round(rss, 1), "unread_max_kib": round(unread), "late": len(late), "open_at_the_end": left,
               "slowest_end_s": {k: round(max((t for e, t in ends if e == k), default=0), 2)
                                 for k in kinds if k != "read"}, "exit": code}
    broken, slow = [], []
    if most < args.clients:
        broken.append("not all of them were connected at once")
    if percentile(times, 99) >= 0.2:
        slow.append("the health probe took 200 ms and more")
    if rss >= 400:
        broken.append("400 MiB and more")
    if late or left > 1:
        slow.append("connections outlived their deadline by two seconds")
    if unread >= UNREAD_KIB:
        broken.append("a client that does not read is sent more than its share")
    if code != 0:
        broken.append("the exit status")
    return verdict(figures, broken, slow)


if __name__ == "__main__":
    sys.exit(main())
