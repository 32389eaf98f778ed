// Java objects that native code keeps reachable, and lets go from any thread: the owners of tensors that others took.
#include <jni.h>

#include <cstdlib>

namespace {

struct Held {
  JavaVM* machine;
  jobject reference;
};

// May run on a thread that Java has never seen.
void release(void* owner) {
  Held* held = static_cast<Held*>(owner);
  void* environment = nullptr;
  const bool attached = held->machine->GetEnv(&environment, JNI_VERSION_1_6) == JNI_OK;
  if (attached || held->machine->AttachCurrentThreadAsDaemon(&environment, nullptr) == JNI_OK) {
    static_cast<JNIEnv*>(environment)->DeleteGlobalRef(held->reference);
    if (!attached) held->machine->DetachCurrentThread();
  }
  std::free(held);
}

}  // namespace

extern "C" {

// The address to hand to releaser()'s function; 0 where there is no memory.
JNIEXPORT jlong JNICALL Java_org_fettle_internal_OwnerReferences_hold(JNIEnv* environment, jclass, jobject owner) {
  Held* held = static_cast<Held*>(std::malloc(sizeof(Held)));
  if (held == nullptr) return 0;
  held->reference = nullptr;
  if (environment->GetJavaVM(&held->machine) == JNI_OK) held->reference = environment->NewGlobalRef(owner);
  if (held->reference == nullptr) {
    std::free(held);
    return 0;
  }
  return reinterpret_cast<jlong>(held);
}

JNIEXPORT jlong JNICALL Java_org_fettle_internal_OwnerReferences_releaser(JNIEnv*, jclass) {
  return reinterpret_cast<jlong>(&release);
}

JNIEXPORT void JNICALL Java_org_fettle_internal_OwnerReferences_release(JNIEnv*, jclass, jlong held) {
  release(reinterpret_cast<void*>(held));
}

}
