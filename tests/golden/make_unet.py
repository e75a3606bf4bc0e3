#!/usr/bin/env python3
"""Makes the golden case unet-rgb9: drl-unet in float64 with PyTorch.

    python3 make_unet.py DIR        writes config.json, model.safetensors, expected.safetensors
    python3 make_unet.py --test     checks the derivatives that it writes by central differences

Written from docs/math/energy_network.md, schedule.md and langevin.md; knows those formulas and the
safetensors format, nothing of the product. Wants PyTorch (Debian: python3-torch).
"""
import json
import math
import os
import struct
import sys

import torch
import torch.nn.functional as F

CONFIG = {
    "architecture": "drl-unet", "image_size": 9, "channels": 3, "ch": 6, "ch_mult": [1, 2, 2],
    "num_res_blocks": 1, "activation": "silu", "leaky_slope": 0.2, "num_levels": 6,
    "beta_start": 0.0001, "beta_end": 0.02, "schedule_base": 1000, "langevin_steps": 30,
    "b_squared": 0.0002,
}
SIDE, CHANNELS, CH, MULT = (CONFIG[k] for k in ("image_size", "channels", "ch", "ch_mult"))
LEVELS = CONFIG["num_levels"]
torch.set_default_dtype(torch.float64)


# --- noise levels ------------------------------------------------------------------------------


def schedule():
    """The paper's: betas in groups. a_i, sigma_i of one transition, their products abar_i, sbar_i
    (i = 0..T), and the squared Langevin step of each transition t = 0..T-1."""
    base = CONFIG["schedule_base"]
    betas = [CONFIG["beta_start"] + (CONFIG["beta_end"] - CONFIG["beta_start"]) * j / (base - 1)
             for j in range(base)] + [1.0]
    ends = [i * (base // (2 * (LEVELS - 1))) for i in range(LEVELS)] + [base - 1]
    out = {"a": [], "sigma": [], "a_bar": [], "sigma_bar": []}
    begin, product = 0, 1.0
    for end in ends:
        a = math.prod(math.sqrt(1.0 - b) for b in betas[begin:end + 1])
        begin, product = end + 1, product * a
        out["a"].append(a)
        out["sigma"].append(math.sqrt(1.0 - a * a))
        out["a_bar"].append(product)
        out["sigma_bar"].append(math.sqrt(1.0 - product * product))
    step2 = [out["sigma_bar"][t] / out["sigma_bar"][0] * CONFIG["b_squared"] * out["sigma"][t + 1] ** 2
             for t in range(LEVELS)]
    return {k: torch.tensor(v) for k, v in out.items()}, torch.tensor(step2)


# --- the network, a function of a dict of parameters -------------------------------------------


def shapes():
    """Name and shape of every parameter."""
    out = {"temb0.weight": (4 * CH, CH), "temb0.bias": (4 * CH,),
           "temb1.weight": (4 * CH, 4 * CH), "temb1.bias": (4 * CH,)}

    def conv(name, c_in, c_out):
        out[name + ".weight"], out[name + ".bias"] = (c_out, c_in, 3, 3), (c_out,)

    def block(name, c_in, c_out):
        conv(name + ".conv1", c_in, c_out)
        out[name + ".temb.weight"], out[name + ".temb.bias"] = (c_out, 4 * CH), (c_out,)
        conv(name + ".conv2", c_out, c_out)
        out[name + ".gain"] = (c_out,)
        if c_in != c_out:
            conv(name + ".shortcut", c_in, c_out)

    conv("conv_in", CHANNELS, CH)
    width = CH
    for i, m in enumerate(MULT):
        for n in range(CONFIG["num_res_blocks"]):
            block(f"levels.{i}.{n}", width, m * CH)
            width = m * CH
    for i in reversed(range(len(MULT) - 1)):
        if width != MULT[i] * CH:
            conv(f"up.{i}.conv", width, MULT[i] * CH)
            width = MULT[i] * CH
        for n in range(CONFIG["num_res_blocks"]):
            block(f"up.{i}.{n}", width, width)
    return out


def random_parameters(generator):
    """Of the size that trained ones have, rounded to the float32 of the file."""
    out = {}
    for name, shape in shapes().items():
        if name.endswith("gain"):
            p = 0.2 + 0.8 * torch.rand(shape, generator=generator)
        elif len(shape) > 1:
            p = torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:]))
        else:
            p = 0.1 * torch.randn(shape, generator=generator)
        out[name] = p.float().double()
    return out


def time_embedding(p, t):
    rates = torch.tensor([math.exp(-math.log(10000.0) * j / (CH // 2 - 1)) for j in range(CH // 2)])
    angles = t.double()[:, None] * rates
    hidden = torch.cat((torch.sin(angles), torch.cos(angles)), 1) @ p["temb0.weight"].T
    return F.silu(hidden + p["temb0.bias"]) @ p["temb1.weight"].T + p["temb1.bias"]


def conv(p, name, x):
    return F.conv2d(x, p[name + ".weight"], p[name + ".bias"], padding=1)


def block(p, name, h, temb):
    dense = F.silu(temb) @ p[name + ".temb.weight"].T + p[name + ".temb.bias"]
    u = conv(p, name + ".conv1", F.silu(h)) + dense[:, :, None, None]
    shortcut = conv(p, name + ".shortcut", h) if name + ".shortcut.weight" in p else h
    return shortcut + p[name + ".gain"][:, None, None] * conv(p, name + ".conv2", F.silu(u))


def halve(h):
    """2x2 average; an odd last row or column is dropped."""
    n, m = h.shape[2] // 2 * 2, h.shape[3] // 2 * 2
    return (h[:, :, 0:n:2, 0:m:2] + h[:, :, 1:n:2, 0:m:2] + h[:, :, 0:n:2, 1:m:2] + h[:, :, 1:n:2, 1:m:2]) / 4


def double(h, like):
    """Every pixel four times; zero where an odd last row or column has no source."""
    out = torch.zeros_like(like)
    for i in range(2):
        for j in range(2):
            out[:, :, i:2 * h.shape[2]:2, j:2 * h.shape[3]:2] = h
    return out


def net(p, y, t, step2):
    temb = time_embedding(p, t)
    h, maps = conv(p, "conv_in", y), []
    for i in range(len(MULT)):
        h = halve(h) if i else h
        for n in range(CONFIG["num_res_blocks"]):
            h = block(p, f"levels.{i}.{n}", h, temb)
        maps.append(h)
    for i in reversed(range(len(MULT) - 1)):
        if f"up.{i}.conv.weight" in p:
            h = conv(p, f"up.{i}.conv", h)
        h = maps[i] + double(h, maps[i])
        for n in range(CONFIG["num_res_blocks"]):
            h = block(p, f"up.{i}.{n}", h, temb)
    return -torch.sqrt(step2[t]) / CH * (h * h).sum((1, 2, 3)) / 2


def slope(p, y, t, step2):
    y = y.detach().requires_grad_(True)
    value = net(p, y, t, step2)
    return value.detach(), torch.autograd.grad(value.sum(), y)[0]


def parameter_slopes(p, y, t, weight, step2):
    leaves = {k: v.detach().requires_grad_(True) for k, v in p.items()}
    loss = (weight * net(leaves, y, t, step2)).sum()
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))


def langevin(p, start, noise, level, levels, step2):
    """y <- y + grad net/2 - (step2/2) r (y - x)/sigma^2 + sqrt(step2) e; r = 0 at the top."""
    top = level == LEVELS - 1
    pull = 0.0 if top else float(step2[level] / levels["sigma"][level + 1] ** 2)
    y = start
    for e in noise:
        _, grad = slope(p, y, torch.full((len(y),), level), step2)
        y = y + grad / 2 - pull / 2 * (y - start) + math.sqrt(step2[level]) * e
    return y if top else y / levels["a"][level + 1]


# --- the files ---------------------------------------------------------------------------------


def write_safetensors(path, tensors):
    kinds = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        raw = value.contiguous().numpy().tobytes()
        header[name] = {"dtype": kinds[value.dtype], "shape": list(value.shape),
                        "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def make(directory):
    generator = torch.Generator().manual_seed(20)
    levels, step2 = schedule()
    p = random_parameters(generator)

    def normal(*shape):
        return torch.randn(*shape, CHANNELS, SIDE, SIDE, generator=generator).float().double()

    x, t, weight = normal(6), torch.arange(6), torch.linspace(-1, 1, 6)
    f, grad_x = slope(p, x, t, step2)
    expected = {"x": x, "t": t, "f": f, "grad_x": grad_x, "weight_f": weight}
    expected.update({"schedule." + k: v for k, v in levels.items()})
    for level in (0, 3, 5):
        start, noise = normal(2), normal(4, 2)
        end = langevin(p, start, noise, level, levels, step2)
        expected.update({f"langevin{level}.start": start, f"langevin{level}.noise": noise,
                         f"langevin{level}.end": end})
    slopes = parameter_slopes(p, x, t, weight, step2)
    expected.update({"grad." + k: v for k, v in slopes.items()})

    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "config.json"), "w") as file:
        json.dump(CONFIG, file, indent=2)
        file.write("\n")
    write_safetensors(os.path.join(directory, "model.safetensors"), {k: v.float() for k, v in p.items()})
    write_safetensors(os.path.join(directory, "expected.safetensors"), expected)
    print("parameters", sum(v.numel() for v in p.values()), "f", [round(float(v), 4) for v in f])


def test():
    """Slopes in x and in every parameter along random directions, h = 1e-5: error near 1e-9."""
    generator = torch.Generator().manual_seed(1)
    _, step2 = schedule()
    p = random_parameters(generator)
    x, t = torch.randn(6, CHANNELS, SIDE, SIDE, generator=generator), torch.arange(6)
    weight, h = torch.linspace(-1, 1, 6), 1e-5
    worst = 0.0

    def compare(name, up, down, exact):
        nonlocal worst
        error = abs(float((up - down) / (2 * h) - exact)) / (abs(float(exact)) + 1e-3)
        worst = max(worst, error)
        if error > 1e-5:
            sys.exit(f"{name}: {float((up - down) / (2 * h))} is not {float(exact)}")

    v = torch.randn(x.shape, generator=generator)
    compare("x", net(p, x + h * v, t, step2).sum(), net(p, x - h * v, t, step2).sum(),
            (slope(p, x, t, step2)[1] * v).sum())
    slopes = parameter_slopes(p, x, t, weight, step2)
    for name in p:
        v = torch.randn(p[name].shape, generator=generator)
        ends = [(weight * net({**p, name: p[name] + s * h * v}, x, t, step2)).sum() for s in (1, -1)]
        compare(name, *ends, (slopes[name] * v).sum())
    print("derivatives agree, worst", worst)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    test() if sys.argv[1] == "--test" else make(sys.argv[1])
