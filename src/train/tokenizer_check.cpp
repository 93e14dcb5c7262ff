#include "longhaul/train/tokenizer_check.h"

#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"

namespace longhaul {

void check_tokenizer(const TokenizerOwner& owner, const std::string& prefix, const PreparedInfo& info) {
  if (info.largest_id >= owner.vocab_size && owner.folder.empty()) {
    throw UserError(
        "{} holds token id {}, but the model's vocabulary has {} entries: set model.vocab_size=0, and data.tokenizer to "
        "the folder of the tokenizer that the text was prepared with",
        prefix, info.largest_id, owner.vocab_size);
  }
  if (info.largest_id >= owner.vocab_size) {
    throw UserError(
        "{} holds token id {}, but the model's vocabulary has {} entries: prepare the text with the model's "
        "own tokenizer (llm-pretrain prepare --tokenizer {})",
        prefix, info.largest_id, owner.vocab_size, owner.folder);
  }
  const auto tokenizer = owner.side_car.files.find("tokenizer.json");
  if (!owner.check_tokenizer) return;
  if (tokenizer == owner.side_car.files.end()) {
    if (!owner.folder.empty()) {
      log::warning("{} has no tokenizer.json, so nothing tells whether {} was prepared with the model's tokenizer",
                   owner.folder, prefix);
    }
    return;
  }
  if (info.tokenizer_fingerprint != hex64(xxh3(tokenizer->second))) {
    throw UserError(
        "{} was prepared with another tokenizer than that of {}: prepare the text again with the model's own "
        "(llm-pretrain prepare --tokenizer), or {} if the two give the same ids",
        prefix, owner.folder, owner.way_out);
  }
}

}  // namespace longhaul
