#include "nccl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int pollMilliseconds = 20;
constexpr int emulatedVersion = 22900;
std::atomic<int> pending{0};

struct Operation {
  bool sends;
  char* memory;
  size_t bytes;
  int peer;
};

using Batch = std::vector<Operation>;

thread_local int groupDepth = 0;
thread_local Batch grouped;
thread_local ncclComm_t groupComm = nullptr;

// An abstract socket per rank, which vanishes with its process.
sockaddr_un addressOf(const std::string& id, int rank, socklen_t* length) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int written =
      snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "fettle-nccl-%.32s-%d", id.c_str(), rank);
  *length = socklen_t(offsetof(sockaddr_un, sun_path) + 1 + size_t(written));
  return address;
}

bool ready(int file, short events, const std::atomic<bool>& stopped) {
  while (!stopped) {
    pollfd waiting{file, events, 0};
    const int count = poll(&waiting, 1, pollMilliseconds);
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
  return false;
}

// Moves all bytes; false where the other process is gone or this one stops.
bool move(int file, const Operation& operation, const std::atomic<bool>& stopped) {
  size_t done = 0;
  while (done < operation.bytes) {
    if (!ready(file, operation.sends ? POLLOUT : POLLIN, stopped)) return false;
    char* at = operation.memory + done;
    const size_t left = operation.bytes - done;
    const ssize_t moved =
        operation.sends ? send(file, at, left, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(file, at, left, MSG_DONTWAIT);
    if (moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (moved > 0) done += size_t(moved);
  }
  return true;
}

}  // namespace

struct ncclComm {
  ncclComm(std::string name, int members, int own)
      : id(std::move(name)), size(members), rank(own), peers(size_t(members), -1) {}

  const std::string id;
  const int size;
  const int rank;
  std::vector<int> peers;
  std::atomic<int> error{ncclInProgress};
  std::atomic<bool> stopped{false};
  std::atomic<int> mine{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Batch> queue;
  bool finished = false;
  std::thread worker;

  void submit(Batch batch) {
    pending++;
    mine++;
    const std::lock_guard<std::mutex> lock(mutex);
    queue.push_back(std::move(batch));
    changed.notify_all();
  }

  void work() {
    if (!meet()) {
      if (!stopped) error = ncclRemoteError;
      return;
    }
    error = ncclSuccess;
    for (;;) {
      Batch batch;
      {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return stopped || finished || !queue.empty(); });
        if (stopped || queue.empty()) return;
        batch = std::move(queue.front());
        queue.pop_front();
      }
      // As on a device: where one fails, the stream stays busy until somebody aborts.
      if (!run(batch)) return;
      mine--;
      pending--;
    }
  }

  // Connects to lower ranks, and is connected to by higher ones.
  bool meet() {
    socklen_t length;
    sockaddr_un address = addressOf(id, rank, &length);
    const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool met = listening >= 0 && bind(listening, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
               listen(listening, size) == 0;
    for (int peer = 0; met && peer < rank; peer++) met = connectTo(peer);
    for (int i = rank + 1; met && i < size; i++) {
      met = ready(listening, POLLIN, stopped);
      if (!met) break;
      const int file = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
      int peer = -1;
      const Operation hello{false, reinterpret_cast<char*>(&peer), sizeof peer, 0};
      met = file >= 0 && move(file, hello, stopped) && peer > rank && peer < size;
      if (met) peers[size_t(peer)] = file;
    }
    if (listening >= 0) close(listening);
    return met;
  }

  bool connectTo(int peer) {
    socklen_t length;
    sockaddr_un address = addressOf(id, peer, &length);
    while (!stopped) {
      const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (file < 0) return false;
      if (connect(file, reinterpret_cast<sockaddr*>(&address), length) == 0) {
        peers[size_t(peer)] = file;
        int own = rank;
        return move(file, Operation{true, reinterpret_cast<char*>(&own), sizeof own, 0}, stopped);
      }
      close(file);
      std::this_thread::sleep_for(std::chrono::milliseconds(pollMilliseconds));
    }
    return false;
  }

  // Sends on a second thread: whoever sends must be received from. All ranks go through their peers in one order.
  bool run(const Batch& batch) {
    std::atomic<bool> sent{true};
    std::thread sender([&] {
      for (const Operation& operation : batch) {
        if (!operation.sends || operation.peer == rank) continue;
        if (!move(peers[size_t(operation.peer)], operation, stopped)) {
          // Told at once: the other thread may wait until somebody aborts.
          sent = false;
          error = ncclRemoteError;
          return;
        }
      }
    });
    bool received = true;
    for (const Operation& operation : batch) {
      if (!received || operation.sends || operation.peer == rank) continue;
      received = move(peers[size_t(operation.peer)], operation, stopped);
      if (!received) error = ncclRemoteError;
    }
    sender.join();
    copyOwn(batch);
    return sent && received;
  }

  // What a rank sends itself, in order.
  void copyOwn(const Batch& batch) const {
    std::deque<const Operation*> own;
    for (const Operation& operation : batch) {
      if (operation.peer == rank && operation.sends) own.push_back(&operation);
    }
    for (const Operation& operation : batch) {
      if (operation.peer != rank || operation.sends || own.empty()) continue;
      memmove(operation.memory, own.front()->memory, operation.bytes);
      own.pop_front();
    }
  }

  void leave(bool abort) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stopped = stopped || abort;
      finished = true;
      changed.notify_all();
    }
    worker.join();
    for (const int file : peers) {
      if (file >= 0) close(file);
    }
    pending -= mine;
  }
};

namespace {

ncclResult_t add(const Operation& operation, ncclComm_t comm) {
  if (comm == nullptr || operation.peer < 0 || operation.peer >= comm->size) return ncclInvalidArgument;
  // One call alone is a group of its own, and one communicator per group is enough here.
  if (groupDepth > 0 && groupComm != nullptr && groupComm != comm) return ncclInvalidUsage;
  groupComm = comm;
  grouped.push_back(operation);
  return ncclSuccess;
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
  *version = emulatedVersion;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t) { return "emulated"; }
const char* ncclGetLastError(ncclComm_t) { return "emulated"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  unsigned long long words[2];
  if (getrandom(words, sizeof words, 0) != ssize_t(sizeof words)) return ncclSystemError;
  memset(id, 0, sizeof *id);
  snprintf(id->internal, sizeof id->internal, "%016llx%016llx", words[0], words[1]);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
  constexpr unsigned magic = 0xcafebeef;
  if (size < 1 || rank < 0 || rank >= size || config == nullptr || config->magic != magic || config->blocking != 0) {
    return ncclInvalidArgument;
  }
  *comm = new ncclComm(std::string(id.internal, strnlen(id.internal, sizeof id.internal)), size, rank);
  (*comm)->worker = std::thread([made = *comm] { made->work(); });
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  *error = ncclResult_t(comm->error.load());
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) { return comm == nullptr ? ncclInvalidArgument : ncclSuccess; }

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  comm->leave(false);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  comm->leave(true);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  groupDepth++;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (groupDepth == 0) return ncclInvalidUsage;
  if (--groupDepth > 0 || groupComm == nullptr) return ncclSuccess;
  groupComm->submit(std::move(grouped));
  grouped.clear();
  groupComm = nullptr;
  return ncclSuccess;
}

ncclResult_t ncclSend(const void* from, size_t count, int, int peer, ncclComm_t comm, void*) {
  ncclGroupStart();
  const ncclResult_t result = add({true, static_cast<char*>(const_cast<void*>(from)), count, peer}, comm);
  const ncclResult_t end = ncclGroupEnd();
  return result == ncclSuccess ? end : result;
}

ncclResult_t ncclRecv(void* to, size_t count, int, int peer, ncclComm_t comm, void*) {
  ncclGroupStart();
  const ncclResult_t result = add({false, static_cast<char*>(to), count, peer}, comm);
  const ncclResult_t end = ncclGroupEnd();
  return result == ncclSuccess ? end : result;
}

ncclResult_t ncclAllGather(const void* from, void* to, size_t count, int type, ncclComm_t comm, void* stream) {
  if (comm == nullptr) return ncclInvalidArgument;
  ncclGroupStart();
  for (int peer = 0; peer < comm->size; peer++) {
    ncclSend(from, count, type, peer, comm, stream);
    ncclRecv(static_cast<char*>(to) + count * size_t(peer), count, type, peer, comm, stream);
  }
  return ncclGroupEnd();
}

int emulated_nccl_pending() { return pending; }
