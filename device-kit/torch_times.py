"""Times what DeviceBenchmark times, with PyTorch on the same device: torch_times.py RESULT.json [SCALE].

By CUDA events, median of nine rounds of five steps. What this PyTorch lacks is named with its reason.
"""

import json
import statistics
import sys

import torch

WARM_UP = 3
ROUNDS = 9
STEPS = 5


def milliseconds(work, times):
    first, second = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(times):
        work()
    second.record()
    second.synchronize()
    return first.elapsed_time(second) / times


def median(work, times=STEPS):
    for _ in range(WARM_UP):
        work()
    return statistics.median(milliseconds(work, times) for _ in range(ROUNDS))


def parameters(sizes, dtype):
    made = []
    for size in sizes:
        parameter = torch.randn(size, device="cuda", dtype=dtype).requires_grad_()
        parameter.grad = torch.randn(size, device="cuda", dtype=dtype)
        made.append(parameter)
    return made


def adamw(sizes, dtype=torch.float32, clip=False):
    made = parameters(sizes, dtype)
    optimizer = torch.optim.AdamW(made, fused=True)

    def step():
        if clip:
            torch.nn.utils.clip_grad_norm_(made, 1.0, foreach=True)
        optimizer.step()

    return median(step)


def transformer(scale):
    """The tensors of a decoder of 12 layers of width 768 over 50,257 words."""
    width = 768
    sizes = [50257 * width, 1024 * width, width, width]
    for _ in range(12):
        sizes += [width, width, 3 * width * width, 3 * width, width * width, width, width, width]
        sizes += [4 * width * width, 4 * width, 4 * width * width, width]
    return [max(1, size // scale) for size in sizes]


def muon(scale):
    width = max(64, 4096 // scale)
    parameter = torch.randn(width, width, device="cuda").requires_grad_()
    parameter.grad = torch.randn_like(parameter)
    optimizer = torch.optim.Muon([parameter])
    return median(optimizer.step)


def int8_rows(rows):
    x = torch.randn(rows, rows, device="cuda")

    def quantize():
        scale = x.abs().amax(dim=1, keepdim=True) / 127
        return (x / scale).round().clamp(-127, 127).to(torch.int8)

    return median(quantize)


def fake_quantize(rows):
    x = torch.randn(rows, rows, device="cuda")
    return median(lambda: torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -128, 127))


def fp8_cast_transpose(rows):
    x = torch.randn(rows, rows, device="cuda")

    def cast():
        codes = (x * 100).clamp(-448, 448).to(torch.float8_e4m3fn)
        return codes, codes.t().contiguous()

    return median(cast)


def integer_product(rows):
    left = torch.randint(-128, 127, (rows, rows), device="cuda", dtype=torch.int8)
    right = torch.randint(-128, 127, (rows, rows), device="cuda", dtype=torch.int8)
    return median(lambda: torch._int_mm(left, right.t()))


def product_2_of_4(rows):
    weight = torch.randn(rows, rows, device="cuda", dtype=torch.bfloat16)
    weight = torch.sparse.to_sparse_semi_structured(weight * (torch.arange(rows, device="cuda") % 4 < 2))
    x = torch.randn(rows, rows, device="cuda", dtype=torch.bfloat16)
    return median(lambda: torch.nn.functional.linear(x, weight))


def kth_magnitude(rows):
    x = torch.randn(rows * rows, device="cuda")
    return median(lambda: torch.kthvalue(x.abs(), rows * rows // 2), 1)


def mask_2_of_4(rows):
    x = torch.randn(rows, rows, device="cuda")

    def mask():
        order = x.abs().view(-1, 4).topk(2, dim=1).indices
        return torch.zeros(x.numel() // 4, 4, dtype=torch.bool, device="cuda").scatter_(1, order, True)

    return median(mask)


def compress_2_of_4(rows):
    x = torch.randn(rows, rows, device="cuda", dtype=torch.float16)
    x = x * (torch.arange(rows, device="cuda") % 4 < 2)
    return median(lambda: torch.sparse.to_sparse_semi_structured(x), 1)


def main():
    scale = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rows = max(64, 8192 // scale)
    cases = {
        "adamw.f32.1e8": lambda: adamw([100_000_000 // scale]),
        "adamw.f32.1e9": lambda: adamw([1_000_000_000 // scale]),
        "adamw.bf16.1e8": lambda: adamw([100_000_000 // scale], torch.bfloat16),
        "adamw.bf16.1e9": lambda: adamw([1_000_000_000 // scale], torch.bfloat16),
        "adamw.f32.3000x3500": lambda: adamw([3500] * 3000),
        "adamw.f32.transformer": lambda: adamw(transformer(scale)),
        "adamw.f32.1e8.clip": lambda: adamw([100_000_000 // scale], clip=True),
        "muon.f32.4096": lambda: muon(scale),
        "int8.row.quantize": lambda: int8_rows(rows),
        "fake.quantize": lambda: fake_quantize(rows),
        "fp8.cast.transpose": lambda: fp8_cast_transpose(rows),
        "s8.gemm": lambda: integer_product(rows // 2),
        "gemm.2of4.bf16": lambda: product_2_of_4(rows // 2),
        "kth.magnitude": lambda: kth_magnitude(rows),
        "mask.2of4": lambda: mask_2_of_4(rows),
        "compress.2of4": lambda: compress_2_of_4(rows),
    }
    results = []
    for name, case in cases.items():
        try:
            results.append({"name": name, "milliseconds": case()})
        except (RuntimeError, AttributeError, NotImplementedError, TypeError) as error:
            results.append({"name": name, "left_out": str(error).splitlines()[0] if str(error) else repr(error)})
        print(results[-1], flush=True)
        torch.cuda.empty_cache()
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"torch": torch.__version__, "device": torch.cuda.get_device_name(), "cases": results}, file, indent=1)


if __name__ == "__main__":
    main()
