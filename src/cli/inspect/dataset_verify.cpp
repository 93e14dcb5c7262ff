// All ids of a dataset against a vocabulary.
#include <fmt/format.h>

#include "cli/inspect/byte_progress.h"
#include "cli/inspect/dataset.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/id_check.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul::cli {
namespace {

// As sha256sum prints it, but xxh3: for copies of the same data.
std::string checksum(const std::string& file) {
  return fmt::format("{}  {}", hex64(xxh3(MappedFile(file).bytes())), file);
}

}  // namespace

void verify_dataset(const IndexedDatasetReader& data, const Tokenizer* tokenizer) {
  const auto info = read_prepared_info(data.prefix());
  std::optional<int64_t> vocab_size;
  if (info) vocab_size = info->vocab_size;
  if (tokenizer != nullptr) vocab_size = tokenizer->vocab_size();
  if (tokenizer != nullptr && info && hex64(tokenizer->fingerprint()) != info->tokenizer_fingerprint) {
    throw UserError("{} was prepared with another tokenizer: its fingerprint is {}, that of --tokenizer is {}",
                    data.prefix(), info->tokenizer_fingerprint, hex64(tokenizer->fingerprint()));
  }
  const auto width = static_cast<double>(token_bytes(data.token_type()));
  ByteProgress bar("checking ids", static_cast<double>(data.tokens()) * width);
  double told = 0;
  const IdRange ids = check_ids(data, vocab_size, [&](int64_t read) {
    bar.add(static_cast<double>(read) * width - told);
    told = static_cast<double>(read) * width;
  });
  bar.finish();
  if (info &&
      (info->documents != data.documents() || info->tokens != data.tokens() || info->largest_id != ids.largest)) {
    throw UserError(
        "{} speaks of {} documents, {} tokens and the largest id {}, but there are {}, {} and {}: it belongs to other "
        "files, or the data is damaged; prepare the data again",
        prepared_info_path(data.prefix()), info->documents, info->tokens, info->largest_id, data.documents(),
        data.tokens(), ids.largest);
  }
  fmt::print("all of it is right: {} pointers of the index, {} ids from {} to {}{}\nxxh3 {}\nxxh3 {}\n",
             group_digits(2 * data.sequences() + data.documents() + 1), group_digits(data.tokens()), ids.smallest,
             ids.largest,
             vocab_size ? fmt::format(", in a vocabulary of {}", group_digits(*vocab_size))
                        : std::string("; what the vocabulary's size is, only --tokenizer or a side-car can say"),
             checksum(data.prefix() + ".bin"), checksum(data.prefix() + ".idx"));
}

}  // namespace longhaul::cli
