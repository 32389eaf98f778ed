// NCCL without GPUs: as much of it as the distributed example uses, between processes of this machine. A communicator's
// work runs on a thread of its own, so that a stream is busy until it is done, and stays so where a process is lost.
#pragma once

#include <stddef.h>

extern "C" {

// The functions and numbers are NCCL's: the JNI library of the CUDA preset binds to them.
enum ncclResult_t {
  ncclSuccess,
  ncclUnhandledCudaError,
  ncclSystemError,
  ncclInternalError,
  ncclInvalidArgument,
  ncclInvalidUsage,
  ncclRemoteError,
  ncclInProgress
};

struct ncclUniqueId {
  char internal[128];
};

struct ncclComm;
using ncclComm_t = ncclComm*;

// The front of NCCL's structure; the rest is not looked at.
struct ncclConfig_t {
  size_t size;
  unsigned magic;
  unsigned version;
  int blocking;
};

ncclResult_t ncclGetVersion(int* version);
const char* ncclGetErrorString(ncclResult_t result);
const char* ncclGetLastError(ncclComm_t comm);
ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank, ncclConfig_t* config);
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error);
ncclResult_t ncclCommFinalize(ncclComm_t comm);
ncclResult_t ncclCommDestroy(ncclComm_t comm);
ncclResult_t ncclCommAbort(ncclComm_t comm);
ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();
ncclResult_t ncclSend(const void* from, size_t count, int type, int peer, ncclComm_t comm, void* stream);
ncclResult_t ncclRecv(void* to, size_t count, int type, int peer, ncclComm_t comm, void* stream);
ncclResult_t ncclAllGather(const void* from, void* to, size_t count, int type, ncclComm_t comm, void* stream);

// Batches that are not done: what a stream waits for.
int emulated_nccl_pending();

}  // extern "C"
