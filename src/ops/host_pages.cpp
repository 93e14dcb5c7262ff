#include "ops/host_pages.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

}  // namespace

void* map_pages(int64_t bytes) {
  LONGHAUL_CHECK(bytes > 0 && bytes % kPage == 0, "{} bytes are not whole pages", bytes);
  const int64_t slack = bytes >= kHugePage ? kHugePage : 0;
  void* const mapping =
      mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    throw EnvironmentError(
        "out of memory: {} MiB for a tensor ({}). Use a smaller micro-batch or recomputation, or "
        "a machine with more memory.",
        bytes >> 20, std::strerror(errno));
  }
  if (slack == 0) return mapping;
  char* const begin = static_cast<char*>(mapping);
  char* const data =
      reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(begin) + kHugePage - 1) / kHugePage * kHugePage);
  if (data > begin) munmap(begin, data - begin);
  if (begin + slack > data) munmap(data + bytes, begin + slack - data);
  madvise(data, bytes, MADV_HUGEPAGE);  // advice: without huge pages it only is slower
  return data;
}

void unmap_pages(void* data, int64_t bytes) {
  munmap(data, bytes);
}

}  // namespace longhaul::ops
