#!/usr/bin/env python3
"""Converts Inception-v3 weights from PyTorch's format to the safetensors file of `ebm eval --inception`.

    tools/convert_inception.py pt_inception-2015-12-05-6726825d.pth inception-fid.safetensors
    tools/convert_inception.py inception_v3_google-0cc3c7bd.pth inception-torchvision.safetensors

The first file is the one of the FID literature (TensorFlow's weights, as pytorch-fid publishes them,
1008 classes), the second torchvision's own (1000 classes). Needs PyTorch alone; never runs a network.
"""
import argparse
import json
import struct

GRAPHS = {1008: "fid", 1000: "torchvision"}


def kept(name):
    """What the forward pass needs: not the auxiliary head of training, not counters."""
    return not name.startswith("AuxLogits.") and not name.endswith(".num_batches_tracked")


def write_safetensors(path, tensors, metadata):
    """tensors: name -> float32 tensor on the CPU. The data section starts at a multiple of 8."""
    header, at = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        size = 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.numpy().astype("<f4").tobytes())


def convert(state, path, graph=None):
    """Writes the tensors of a state dict that the network needs; the classes tell the graph."""
    import torch

    graph = graph or GRAPHS.get(state["fc.weight"].shape[0])
    if graph not in GRAPHS.values():
        raise SystemExit("convert_inception: say which graph these weights are for: --graph")
    tensors = {k: v.detach().to(torch.float32).contiguous() for k, v in state.items() if kept(k)}
    write_safetensors(path, tensors, {"format": "pt", "graph": graph})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", help="a state dict, as torch.save() writes it")
    parser.add_argument("out", help="the safetensors file to write")
    parser.add_argument("--graph", choices=sorted(GRAPHS.values()), help="if the classes do not tell")
    args = parser.parse_args()
    import torch

    # weights_only: a .pth file is a pickle, and a pickle may run any code
    convert(torch.load(args.weights, map_location="cpu", weights_only=True), args.out, args.graph)


if __name__ == "__main__":
    main()
