#!/usr/bin/env python3
"""The same energy network in PyTorch, as a contender of tests/bench/bench.

Worker:  peer_torch.py --worker      answers `run network=... batch=16 threads=2 dtype=bf16
                                     layout=nhwc mode=compile seconds=0.5 [train levels=6 steps=30]`
Check:   peer_torch.py --check DIR   compares the network with a golden directory in every
                                     configuration, so that the same function is being timed

Knows PyTorch (1.13 and later) and the file formats of a golden directory; nothing of the product.
"""
import argparse
import json
import math
import os
import statistics
import struct
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

SLOPE = 0.2  # of the leaky ReLU
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
HAS_COMPILE = hasattr(torch, "compile")


# --- the network -------------------------------------------------------------------------------


def sincos(level, width):
    """Sinusoidal embedding of levels: width/2 sines, then as many cosines."""
    half = width // 2
    rate = torch.exp(torch.arange(half, device=level.device) * (-math.log(1e4) / (half - 1)))
    angle = level.float().unsqueeze(1) * rate
    return torch.cat((angle.sin(), angle.cos()), 1)


class Block(nn.Module):
    """x + gain * conv2(act(conv1(act(x)) + time)), with a 3x3 shortcut where the width changes."""

    def __init__(self, c_in, c_out, time_width, act):
        super().__init__()
        self.act = act
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.temb = nn.Linear(time_width, c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.gain = nn.Parameter(torch.full((c_out,), 0.5))
        self.shortcut = nn.Conv2d(c_in, c_out, 3, padding=1) if c_in != c_out else nn.Identity()

    def forward(self, x, time):
        inner = self.conv1(self.act(x)) + self.temb(time)[:, :, None, None]
        return self.shortcut(x) + self.conv2(self.act(inner)) * self.gain[:, None, None]


class Trunk(nn.Module):
    """What both networks have in common: from the image down to the smallest maps."""

    def __init__(self, ch=32, mult=(1, 2, 2), blocks=2, channels=1, silu=False):
        super().__init__()
        self.width = ch
        self.act = F.silu if silu else (lambda v: F.leaky_relu(v, SLOPE))
        self.temb0 = nn.Linear(ch, 4 * ch)
        self.temb1 = nn.Linear(4 * ch, 4 * ch)
        self.conv_in = nn.Conv2d(channels, ch, 3, padding=1)
        widths = [ch] + [ch * m for m in mult for _ in range(blocks)]
        made = [Block(a, b, 4 * ch, self.act) for a, b in zip(widths, widths[1:])]
        rows = [made[i : i + blocks] for i in range(0, len(made), blocks)]
        self.levels = nn.ModuleList(nn.ModuleList(row) for row in rows)

    def down(self, x, level):
        """The last maps of every resolution, and the time."""
        time_in = sincos(level, self.width).to(x.dtype)
        time = self.act(self.temb1(self.act(self.temb0(time_in))))
        x = self.conv_in(x)
        maps = []
        for i, row in enumerate(self.levels):
            x = F.avg_pool2d(x, 2) if i else x
            for block in row:
                x = block(x, time)
            maps.append(x)
        return maps, time


class Network(Trunk):
    """drl-resnet. net(x, t): one number per image; logp is it over step2[t]."""

    def __init__(self, ch=32, mult=(1, 2, 2), blocks=2, channels=1, silu=False):
        super().__init__(ch, mult, blocks, channels, silu)
        self.act_out = F.silu if silu else F.relu
        self.temb_out = nn.Linear(4 * ch, ch * mult[-1])

    def forward(self, x, level):
        maps, time = self.down(x, level)
        features = self.act_out(maps[-1]).sum((2, 3))
        return (features * self.temb_out(time)).sum(1)


class Unet(Trunk):
    """drl-unet (docs/math/energy_network.md): the same led back to full size, a sum of squares."""

    def __init__(self, step2, ch=32, mult=(1, 2, 2), blocks=2, channels=1, silu=False):
        super().__init__(ch, mult, blocks, channels, silu)
        self.register_buffer("scale", step2.sqrt() / ch, persistent=False)
        self.up = nn.ModuleDict()
        for i in range(len(mult) - 2, -1, -1):
            wide, parts = ch * mult[i], nn.ModuleDict()
            if mult[i + 1] != mult[i]:
                parts["conv"] = nn.Conv2d(ch * mult[i + 1], wide, 3, padding=1)
            for n in range(blocks):
                parts[str(n)] = Block(wide, wide, 4 * ch, self.act)
            self.up[str(i)] = parts

    def forward(self, x, level):
        maps, time = self.down(x, level)
        x = maps[-1]
        for i in range(len(maps) - 2, -1, -1):
            parts = self.up[str(i)]
            x = F.interpolate(parts["conv"](x) if "conv" in parts else x, scale_factor=2)
            odd = [a - b for a, b in zip(maps[i].shape[2:], x.shape[2:])]
            x = maps[i] + (F.pad(x, (0, odd[1], 0, odd[0])) if any(odd) else x)
            for name, part in parts.items():
                x = part(x, time) if name != "conv" else x
        return -self.scale[level] * (x * x).sum((1, 2, 3)) / 2


def randomize(net):
    """Weights of the size that trained ones have."""
    for name, p in net.named_parameters():
        if p.dim() > 1:
            nn.init.normal_(p, std=p[0].numel() ** -0.5)
        elif not name.endswith("gain"):
            nn.init.normal_(p, std=0.1)
    return net


def input_gradient(net, x, level):
    """net(x, level) and its gradient in x."""
    x = x.detach().requires_grad_(True)
    value = net(x, level)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def prepare(net, dtype, layout):
    """Turns `net` into one for sampling: frozen, in its number format and memory layout."""
    return net.to(dtype=DTYPES[dtype], memory_format=LAYOUTS[layout]).requires_grad_(False).eval()


def gradient_function(net, mode, constant):
    """(x, level) -> value and input gradient. Compiled as one function, gradient included, which is
    faster than compiling the network and differentiating that; weights that are `constant` are
    folded into it in the layout that the compiler likes best."""
    if mode == "eager":
        return lambda x, level: input_gradient(net, x, level)
    if not HAS_COMPILE:
        raise RuntimeError("this PyTorch has no torch.compile")

    def summed(x, level):
        value = net(x, level)
        return value.sum(), value

    both = torch.compile(torch.func.grad_and_value(summed, has_aux=True), dynamic=False,
                         options={"freezing": constant})

    def compiled(x, level):
        with torch.no_grad():
            gradient, (_, value) = both(x, level)
        return value, gradient

    return compiled


# --- training ----------------------------------------------------------------------------------


def schedule(levels, base=1000, b2=2e-4):
    """a, sigma of x_{t+1} = a x_t + sigma e and the squared Langevin steps, after the paper."""
    betas = torch.cat((torch.linspace(1e-4, 0.02, base, dtype=torch.float64), torch.ones(1).double()))
    alpha_bar = torch.cumprod(1 - betas, 0).sqrt()
    picks = [i * (base // (2 * (levels - 1))) for i in range(levels)] + [base - 1]
    abar = alpha_bar[picks]
    a = abar / torch.cat((torch.ones(1).double(), abar[:-1]))
    sigma = (1 - a**2).sqrt()
    sbar = (1 - abar**2).sqrt()
    step2 = sbar[:-1] / sbar[0] * b2 * sigma[1:] ** 2
    return tuple(v.float() for v in (a, sigma, abar, sbar, step2))


class Trainer:
    """Recovery likelihood: K Langevin steps on a frozen copy with normalised weights, one loss,
    one Adam step, one moving average. Per weight matrix one power iteration per update, the least
    that the method can do with."""

    def __init__(self, net, sampler, config):
        self.net, self.sampler, self.steps = net, sampler, config["steps"]
        self.gradient = gradient_function(sampler, config["mode"], constant=False)
        self.dtype, self.layout = DTYPES[config["dtype"]], LAYOUTS[config["layout"]]
        self.a, self.sigma, self.abar, self.sbar, self.step2 = schedule(config["levels"])
        self.matrices = {n: F.normalize(torch.randn(p.shape[0]), dim=0)
                         for n, p in net.named_parameters() if p.dim() > 1}
        self.average = {n: p.detach().clone() for n, p in net.named_parameters()}
        self.adam = torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.9, 0.999), eps=1e-7)
        self.data = torch.rand(256, config["channels"], config["size"], config["size"]) * 2 - 1
        self.batch = config["batch"]

    def normalised(self):
        """Parameters with every weight divided by its largest singular value; part of the graph."""
        out = {}
        for name, p in self.net.named_parameters():
            if name in self.matrices:
                flat = p.flatten(1)
                with torch.no_grad():
                    v = F.normalize(flat.t() @ self.matrices[name], dim=0)
                    u = F.normalize(flat @ v, dim=0)
                    self.matrices[name] = u
                out[name] = p / torch.dot(u, flat @ v)
            else:
                out[name] = p
        return out

    def negatives(self, noisy, level):
        shape = (-1, 1, 1, 1)
        step2, sigma = self.step2[level].view(shape), self.sigma[level + 1].view(shape)
        tether = (level + 1 < len(self.step2)).float().view(shape) / sigma**2
        y = noisy
        for _ in range(self.steps):
            _, g = self.gradient(y.to(self.dtype), level)
            pull = tether * step2 * (y - noisy)
            y = y + 0.5 * (g.float() - pull) + step2.sqrt() * torch.randn_like(y)
        return y

    def pairs(self):
        shape = (-1, 1, 1, 1)
        clean = self.data[torch.randint(len(self.data), (self.batch,))]
        level = torch.randint(len(self.step2), (self.batch,))
        x = self.abar[level].view(shape) * clean
        x = x + self.sbar[level].view(shape) * torch.randn_like(clean)
        a, sigma = self.a[level + 1].view(shape), self.sigma[level + 1].view(shape)
        scale = torch.where((level + 1 < len(self.step2)).view(shape), a, torch.ones(()))
        noisy = (a * x + sigma * torch.randn_like(x)).contiguous(memory_format=self.layout)
        return scale * x, noisy, level

    def iterate(self):
        weights = self.normalised()
        with torch.no_grad():
            for name, p in self.sampler.named_parameters():
                p.copy_(weights[name])
        positive, noisy, level = self.pairs()
        negative = self.negatives(noisy, level)
        weights = {n: w.to(self.dtype) for n, w in weights.items()}
        both = torch.cat((positive, negative)).to(self.dtype).contiguous(memory_format=self.layout)
        value = functional_call(self.net, weights, (both, torch.cat((level, level)))).float()
        gap = value[self.batch :] - value[: self.batch]
        loss = (gap * self.sigma[1] / self.sigma[level + 1]).mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            for name, p in self.net.named_parameters():
                self.average[name].lerp_(p, 1e-3)


def functional_call(net, weights, args):
    if hasattr(torch, "func"):
        return torch.func.functional_call(net, weights, args)
    from torch.nn.utils import stateless

    return stateless.functional_call(net, weights, args)


# --- the worker --------------------------------------------------------------------------------


def parse_network(text):
    """"ch=64,mult=1:2:2,blocks=2,size=28,channels=1" as a dict; words: unet, silu."""
    out = {"ch": 32, "mult": (1, 2, 2), "blocks": 2, "size": 28, "channels": 1, "unet": False,
           "silu": False}
    for field in text.split(","):
        key, _, value = field.partition("=")
        if key not in out:
            raise ValueError("network: no field " + key)
        if isinstance(out[key], bool):
            out[key] = True
        else:
            out[key] = tuple(map(int, value.split(":"))) if key == "mult" else int(value)
    return out


def parse_request(line):
    words = line.split()
    if not words or words[0] != "run":
        raise ValueError("not `run WORD...`")
    given = {k: v for k, _, v in (w.partition("=") for w in words[1:])}
    request = {"dtype": "f32", "layout": "nchw", "mode": "eager", "network": ""}
    request.update(given)
    for key, default in (("batch", 16), ("threads", 1), ("levels", 6), ("steps", 30)):
        request[key] = int(given.get(key, default))
    request["seconds"] = float(given.get("seconds", 1))
    request["train"] = "train" in given
    return request


def repeat(once, seconds):
    """Median, minimum, maximum and number of times of once(), after a call to warm up."""
    once()
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        once()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), min(times), max(times), len(times)


class Worker:
    """Keeps what it has made, so that compiling happens once per configuration."""

    def __init__(self):
        self.cache = {}

    def made(self, key, make):
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def shape(self, r):
        return parse_network(r["network"]) if r["network"] else parse_network("ch=32")

    def fresh(self, shape, levels):
        torch.manual_seed(1)
        config = [shape[k] for k in ("ch", "mult", "blocks", "channels", "silu")]
        return randomize(Unet(schedule(levels)[-1], *config) if shape["unet"] else Network(*config))

    def gradient(self, r):
        shape = self.shape(r)
        net = prepare(self.fresh(shape, r["levels"]), r["dtype"], r["layout"])
        gradient = gradient_function(net, r["mode"], constant=True)
        x = torch.randn(r["batch"], shape["channels"], shape["size"], shape["size"])
        x = x.to(DTYPES[r["dtype"]]).contiguous(memory_format=LAYOUTS[r["layout"]])
        level = torch.arange(r["batch"]) % r["levels"]
        return lambda: gradient(x, level)

    def trainer(self, r):
        shape = self.shape(r)
        net = self.fresh(shape, r["levels"])
        sampler = prepare(self.fresh(shape, r["levels"]), r["dtype"], r["layout"])
        keys = ("steps", "mode", "dtype", "layout", "levels", "batch")
        config = {k: r[k] for k in keys}
        config.update(channels=shape["channels"], size=shape["size"])
        return Trainer(net, sampler, config).iterate

    def answer(self, line):
        r = parse_request(line)
        torch.set_num_threads(r["threads"])
        kind = self.trainer if r["train"] else self.gradient
        key = tuple(sorted((k, v) for k, v in r.items() if k != "seconds"))
        once = self.made(key, lambda: kind(r))
        median, low, high, n = repeat(once, r["seconds"])
        if r["train"]:
            return {"train_ms_per_iteration": median, "iterations_per_second": 1e3 / median,
                    "train_ms_min": low, "train_ms_max": high, "rounds": n}
        b = r["batch"]
        return {"gradient_ms_per_image": median / b, "gradient_ms_min": low / b,
                "gradient_ms_max": high / b, "rounds": n}

    def serve(self):
        facts = {"version": torch.__version__, "compile": HAS_COMPILE}
        print("READY", json.dumps(facts), flush=True)
        for line in sys.stdin:
            try:
                reply = self.answer(line)
            except Exception as problem:  # a configuration that this PyTorch cannot do
                text = str(problem).strip().splitlines() or [type(problem).__name__]
                reply = {"error": text[0][:200]}
            print(json.dumps(reply), flush=True)


# --- the check ---------------------------------------------------------------------------------

# Relative L2 distances. float32: rounding of some 14 layers. bfloat16 has 8 bits; the gradient of
# a leaky ReLU network jumps where rounding flips a sign, hence its wide bound.
BOUNDS = {"f32": {"net": 1e-5, "gradient": 1e-5}, "bf16": {"net": 3e-2, "gradient": 0.15}}


def read_safetensors(path):
    kinds = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    with open(path, "rb") as file:
        raw = bytearray(file.read())
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        data = raw[8 + size + begin : 8 + size + end]
        out[name] = torch.frombuffer(data, dtype=kinds[info["dtype"]]).reshape(info["shape"])
    return out


def golden_network(directory):
    with open(os.path.join(directory, "config.json")) as file:
        c = json.load(file)
    silu = c.get("activation", "leaky_relu") == "silu"
    net = Network(c["ch"], c["ch_mult"], c["num_res_blocks"], c["channels"], silu)
    net.load_state_dict(read_safetensors(os.path.join(directory, "model.safetensors")))
    return net


def distance(value, truth):
    return float((value.double() - truth).norm() / truth.norm())


def check_one(directory, expected, dtype, layout, mode):
    net = prepare(golden_network(directory), dtype, layout)
    x = expected["x"].to(DTYPES[dtype]).contiguous(memory_format=LAYOUTS[layout])
    value, gradient = gradient_function(net, mode, constant=True)(x, expected["t"])
    measured = {"net": distance(value, expected["f"]),
                "gradient": distance(gradient, expected["grad_x"])}
    passed = all(measured[k] <= BOUNDS[dtype][k] for k in measured)
    print(f"{dtype:5} {layout:5} {mode:8} net {measured['net']:.2e}  "
          f"gradient {measured['gradient']:.2e}  {'ok' if passed else 'FAIL'}")
    return passed


def check(directory, modes):
    expected = read_safetensors(os.path.join(directory, "expected.safetensors"))
    runs = [(d, l, m) for d in DTYPES for l in LAYOUTS for m in modes]
    return all([check_one(directory, expected, *run) for run in runs])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--check", metavar="DIR")
    parser.add_argument("--eager", action="store_true", help="check without torch.compile")
    args = parser.parse_args()
    if HAS_COMPILE:
        # one code object serves every configuration; each may compile once
        import torch._dynamo

        torch._dynamo.config.cache_size_limit = 4096
        if hasattr(torch._dynamo.config, "accumulated_cache_size_limit"):
            torch._dynamo.config.accumulated_cache_size_limit = 4096
    if args.check:
        modes = ["eager", "compile"] if HAS_COMPILE and not args.eager else ["eager"]
        sys.exit(0 if check(args.check, modes) else 1)
    Worker().serve()


if __name__ == "__main__":
    main()
