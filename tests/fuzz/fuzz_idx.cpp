// The .idx of an indexed dataset. One that opens must give exactly what its .bin holds, id by id.
#include <cstring>
#include <memory>

#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/indexed_dataset_writer.h"
#include "scratch_folder.h"
#include "unit/data/corpora.h"

namespace longhaul::fuzz {
namespace {

void read_all(const ScratchFolder& folder) {
  const auto reader = std::make_shared<const IndexedDatasetReader>(folder.path("d").string());
  const std::string bin = read_text(folder.path("d.bin"));
  const int64_t width = token_bytes(reader->token_type());
  int64_t at = 0;
  for (int64_t i = 0; i < reader->sequences(); ++i) {
    for (const int64_t id : reader->get(i)) {
      LONGHAUL_CHECK(std::memcmp(&id, bin.data() + at, static_cast<size_t>(width)) == 0, "a wrong id in sequence {}",
                     i);
      at += width;
    }
    if (reader->multimodal()) LONGHAUL_CHECK(reader->mode(i) == 0 || reader->mode(i) == 1, "mode {}", reader->mode(i));
  }
  LONGHAUL_CHECK(at == static_cast<int64_t>(bin.size()), "{} bytes of {} were read", at, bin.size());
  for (int64_t i = 0; i < reader->documents(); ++i) {
    LONGHAUL_CHECK(reader->document_border(i) <= reader->document_border(i + 1), "document {} runs backwards", i);
  }
  GptDatasetOptions options;
  options.sequence_length = 4;
  options.samples = 20;
  options.cache_dir = "/proc/nowhere";  // in memory
  const GptDataset dataset(reader, options);
  Sample sample;
  for (int64_t i = 0; i < dataset.size(); ++i) dataset.get(i, sample);
}

}  // namespace

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  // The same 56 bytes of .bin, under each type; then documents of several and of no sequences, and modes.
  for (const TokenType type : {TokenType::uint16, TokenType::int32, TokenType::int64, TokenType::int16}) {
    const auto ids = static_cast<size_t>(56 / token_bytes(type));
    IndexedDatasetWriter writer(folder->path("d").string(), type);
    for (size_t left = ids, next = 1; left > 0; left -= std::min(next++, left)) {
      writer.add_sequence(std::vector<int32_t>(std::min(next, left), static_cast<int32_t>(next)));
      if (next % 2 == 0) writer.end_document();
    }
    writer.end_document();
    writer.end_document();
    writer.finalize();
    target.seeds.push_back(read_text(folder->path("d.idx")));
    uint64_t sequences = 0;
    std::memcpy(&sequences, target.seeds.back().data() + 18, sizeof(sequences));
    target.seeds.push_back(target.seeds.back() + std::string(sequences, '\1'));
  }
  target.offsets = {0, 9, 17, 18, 26, 34, 38, 42, 46, 62, 70, 78};
  target.read = [folder](std::string_view input) {
    folder->write("d.idx", input);
    read_all(*folder);
  };
  return target;
}

}  // namespace longhaul::fuzz
