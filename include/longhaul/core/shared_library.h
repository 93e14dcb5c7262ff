// A shared library that is looked for when it is needed, so that a program starts where it is missing. It stays loaded.
#pragma once

#include <string>

namespace longhaul {

class SharedLibrary {
 public:
  // As the dynamic loader finds `name`: "libnccl.so.2".
  explicit SharedLibrary(std::string name);

  bool loaded() const { return handle_ != nullptr; }
  const std::string& name() const { return name_; }
  const std::string& problem() const { return problem_; }  // why it is not loaded, in the loader's words
  std::string path() const;                                // of its file; empty where it is not loaded

  // Null: it has no such function.
  template <typename Function>
  void find(const char* function, Function*& into) const {
    into = reinterpret_cast<Function*>(address(function));
  }
  // EnvironmentError, with the remedy: it has no such function.
  template <typename Function>
  void require(const char* function, Function*& into, const std::string& remedy) const {
    find(function, into);
    if (into == nullptr) throw_missing(function, remedy);
  }

 private:
  void* address(const char* function) const;
  [[noreturn]] void throw_missing(const char* function, const std::string& remedy) const;

  std::string name_, problem_;
  void* handle_;
};

}  // namespace longhaul
