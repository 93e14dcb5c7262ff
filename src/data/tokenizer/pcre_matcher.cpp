// A regular expression by PCRE2, compiled to machine code. Subjects are valid UTF-8, so no check a match.
// Properties such as \p{L} are those of PCRE2's Unicode version; characters that are newer may be classed
// otherwise than by the reference. (The matchers by hand have the reference's own tables.)
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "data/tokenizer/matcher.h"
#include "data/tokenizer/regex_dialect.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

// What a thread needs to match, whatever the pattern. The stack of the compiled code grows on demand.
class MatchState {
 public:
  MatchState()
      : data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        stack_(pcre2_jit_stack_create(64 << 10, 256 << 20, nullptr)) {
    if (!data_ || !context_ || !stack_) throw EnvironmentError("out of memory for matching regular expressions");
    pcre2_jit_stack_assign(context_, nullptr, stack_);
    pcre2_set_match_limit(context_, UINT32_MAX);
  }
  ~MatchState() {
    pcre2_jit_stack_free(stack_);
    pcre2_match_context_free(context_);
    pcre2_match_data_free(data_);
  }
  MatchState(const MatchState&) = delete;
  MatchState& operator=(const MatchState&) = delete;
  pcre2_match_data* data() const { return data_; }
  pcre2_match_context* context() const { return context_; }

  static const MatchState& of_thread() {
    static thread_local const MatchState state;
    return state;
  }

 private:
  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* stack_;
};

std::string error_text(int code) {
  char buffer[256];
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(buffer), sizeof(buffer));
  return buffer;
}

class PcreMatcher : public Matcher {
 public:
  PcreMatcher(std::string_view pattern, std::string_view where) : pattern_(pattern) {
    const std::string translated = to_pcre2(pattern, where);
    int code = 0;
    PCRE2_SIZE offset = 0;
    // There ^ and $ always mean lines.
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &offset, nullptr));
    if (!code_) {
      throw UserError("{}: the regular expression '{}' can't be read: {} (near character {}). Correct it there.", where,
                      pattern, error_text(code), offset);
    }
    // Where the machine allows no code at run time, PCRE2 interprets the pattern: slower, the same matches.
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  }

  void find(std::string_view text, std::vector<Span>& matches) const override {
    const MatchState& state = MatchState::of_thread();
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(state.data());
    size_t from = 0;
    size_t last_end = SIZE_MAX;
    while (from <= text.size()) {
      if (!match(text, from, state)) return;
      const Span found{bounds[0], bounds[1]};
      from = found.end;
      if (found.begin == found.end) {
        // An empty match right behind a match doesn't count; the search goes on one character further either
        // way.
        from += found.end < text.size() ? decode_utf8(text.data() + found.end).bytes : 1;
        if (found.end == last_end) continue;
      }
      last_end = found.end;
      matches.push_back(found);
    }
  }

 private:
  bool match(std::string_view text, size_t from, const MatchState& state) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int result =
        pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, state.data(), state.context());
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its stack on the heap
      result = pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, state.data(),
                           state.context());
    }
    if (result >= 0) return true;
    if (result == PCRE2_ERROR_NOMATCH) return false;
    throw EnvironmentError("matching the tokenizer's regular expression '{}' over a text of {} bytes failed: {}",
                           pattern_, text.size(), error_text(result));
  }

  std::string pattern_;
  std::unique_ptr<pcre2_code, FreeCode> code_;
};

}  // namespace

std::unique_ptr<Matcher> make_pcre_matcher(std::string_view pattern, std::string_view where) {
  return std::make_unique<PcreMatcher>(pattern, where);
}

}  // namespace longhaul::tokenizer
