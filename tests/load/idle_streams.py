"""Event streams of jobs that wait, whose clients listen and one day vanish without a word.

Knows how streams begin and what the daemon counts; not who else is connected.
"""
import asyncio
import socket
import struct
import time

from service import call

JOBS = 50
# one at work for hours, the others behind it
BODY = '{"n":8,"steps_per_level":2000}'
ASYNC = ("Prefer: respond-async",)
RESET = struct.pack("ii", 1, 0)


async def gauge(service, name):
    """What the daemon says of itself; -1 if it says nothing."""
    reply = await call(service.admin, "GET", "/metrics")
    for line in reply.body.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    return -1


class IdleStreams:
    def __init__(self, service):
        self.service = service
        self.open = []
        self.listeners = []

    async def start(self, count):
        """Opens them, spread over jobs. @err RuntimeError: one was refused"""
        jobs = []
        for _ in range(min(JOBS, count)):
            reply = await call(self.service.port, "POST", "/v1/sample", BODY, ASYNC)
            if reply.status != 202:
                raise RuntimeError(f"a job was answered with {reply.status}")
            jobs.append(reply.json()["id"])
        for i in range(count):
            await self._open(jobs[i % len(jobs)])

    async def _open(self, job):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service.port)
        writer.write(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.split(b"\r\n")[0].decode())
        self.open.append(writer)
        self.listeners.append(asyncio.create_task(self._listen(reader)))

    @staticmethod
    async def _listen(reader):
        try:
            while await reader.read(65536):
                pass
        except OSError:
            pass

    async def vanish(self, seconds):
        """Lets all of them go, every other one with a reset. Returns how many were there, and how
        long it took until the daemon had noticed; infinity: longer than `seconds`."""
        there = await gauge(self.service, "ebm_streams")
        for task in self.listeners:
            task.cancel()
        for i, writer in enumerate(self.open):
            if i % 2:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           RESET)
            writer.close()
        begin = time.monotonic()
        while await gauge(self.service, "ebm_streams") != 0:
            if time.monotonic() - begin > seconds:
                return there, float("inf")
            await asyncio.sleep(0.05)
        return there, time.monotonic() - begin
