#include "longhaul/core/shared_library.h"

#include <dlfcn.h>
#include <link.h>

#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {

SharedLibrary::SharedLibrary(std::string name)
    : name_(std::move(name)), handle_(dlopen(name_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  const char* const reason = dlerror();
  problem_ = reason != nullptr ? reason : name_ + " cannot be loaded";
}

std::string SharedLibrary::path() const {
  link_map* entry = nullptr;
  return handle_ != nullptr && dlinfo(handle_, RTLD_DI_LINKMAP, &entry) == 0 ? entry->l_name : "";
}

void* SharedLibrary::address(const char* function) const {
  return handle_ != nullptr ? dlsym(handle_, function) : nullptr;
}

void SharedLibrary::throw_missing(const char* function, const std::string& remedy) const {
  throw EnvironmentError("this machine's {} has no {}. {}", name_, function, remedy);
}

}  // namespace longhaul
