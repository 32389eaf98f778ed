// Fibers: the threads of an emulated block. One runs at a time; it goes on until it waits at a barrier or ends.
#pragma once

#include <stdint.h>

#include <functional>

namespace emulation {

// Runs `threads` fibers of one block until all have ended, in an order drawn from `random`. Ends the program with a
// message if they can never all go on: some wait at a barrier that others have left or skipped.
void runBlock(unsigned threads, const std::function<void()>& thread, uint64_t& random);

// The next number of a small generator; what it is good for is that every run draws the same.
uint64_t draw(uint64_t& state);

}  // namespace emulation
