// Named spans of a profile (trainer.profile): of operators, and of the model's parts around them. Where nothing takes a
// profile a span costs a few nanoseconds, and its name is never made.
#pragma once

#include <ATen/record_function.h>
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace longhaul::ops {

template <at::RecordScope scope>
class ProfileScope {
 public:
  // `name`: text that outlives the scope, or a function that makes the name.
  template <typename Name>
  explicit ProfileScope(const Name& name) {
    auto callbacks = at::getStepCallbacksUnlessEmpty(scope);
    if (!callbacks) return;
    if constexpr (std::is_invocable_v<const Name&>) {
      name_ = name();
    } else {
      name_ = name;
    }
    record_.emplace(std::move(*callbacks));
    record_->before(std::string_view(name_));
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  std::string name_;  // outlives the record
  std::optional<at::RecordFunction> record_;
};

// An operator: what GPU kernels it queues are put down to it.
using OperatorScope = ProfileScope<at::RecordScope::FUNCTION>;
// A part of the model or of the step, with operators within.
using PartScope = ProfileScope<at::RecordScope::USER_SCOPE>;

// Whether this thread takes a profile.
inline bool profiling() {
  return at::hasCallbacks();
}

// The span of a matrix product [m, k] × [k, n] carries its sizes in its name, from which a profile's reader gets the
// work.
inline std::string gemm_span(int64_t m, int64_t n, int64_t k) {
  return fmt::format("gemm {}x{}x{}", m, n, k);
}

}  // namespace longhaul::ops
