#include "data/tokenizer/post_processor.h"

namespace longhaul::tokenizer {
namespace {

class Template : public PostProcessor {
 public:
  explicit Template(std::vector<TemplatePart> parts) : parts_(std::move(parts)) {}

  void process(std::vector<int32_t>& ids, size_t begin, bool add_special) const override {
    const std::vector<int32_t> text(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end());
    ids.resize(begin);
    for (const TemplatePart& part : parts_) {
      if (part.is_text) {
        ids.insert(ids.end(), text.begin(), text.end());
      } else if (add_special) {
        ids.insert(ids.end(), part.special.begin(), part.special.end());
      }
    }
  }

 private:
  std::vector<TemplatePart> parts_;
};

}  // namespace

std::unique_ptr<PostProcessor> make_template(std::vector<TemplatePart> parts) {
  return std::make_unique<Template>(std::move(parts));
}

}  // namespace longhaul::tokenizer
