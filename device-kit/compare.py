"""Fettle's times and PyTorch's side by side: compare.py FETTLE.json TORCH.json."""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        fettle = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        torch = json.load(file)
    theirs = {case["name"]: case for case in torch["cases"]}
    print(f"{fettle['device']}, PyTorch {torch['torch']}")
    print(f"{'case':<24} {'Fettle ms':>10} {'of copy':>8} {'PyTorch ms':>11} {'PyTorch/Fettle':>15}")
    for case in fettle["cases"]:
        name = case["name"]
        other = theirs.pop(name, {"left_out": "no peer"})
        ours = case.get("milliseconds")
        peer = other.get("milliseconds")
        print(
            f"{name:<24}",
            f"{ours:10.4f}" if ours else f"{'-':>10}",
            f"{case['of_copy']:8.3f}" if "of_copy" in case else f"{'-':>8}",
            f"{peer:11.4f}" if peer else f"{'-':>11}",
            f"{peer / ours:15.2f}" if ours and peer else f"  {case.get('left_out') or other.get('left_out')}",
        )
    for name, case in theirs.items():
        peer = case.get("milliseconds")
        print(f"{name:<24} {'-':>10} {'-':>8}", f"{peer:11.4f}" if peer else f"{'-':>11}  {case.get('left_out')}")


if __name__ == "__main__":
    main()
