// The .bin of an indexed dataset: any ids at all, and any size.
#include <algorithm>
#include <memory>

#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"
#include "scratch_folder.h"
#include "unit/data/corpora.h"

namespace longhaul::fuzz {

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  std::vector<std::string> indices;
  for (const TokenType type : {TokenType::uint16, TokenType::int32, TokenType::int64, TokenType::int16}) {
    write_documents(folder->path("d").string(), type, corpus_g());
    target.seeds.push_back(read_text(folder->path("d.bin")));
    indices.push_back(read_text(folder->path("d.idx")));
  }
  target.offsets = {0, 1, 2, 4, 8};
  target.read = [folder, indices](std::string_view input) {
    folder->write("d.bin", input);
    // The index that fits, and if none does, each in turn: all must be refused.
    bool opened = false;
    for (const std::string& index : indices) {
      folder->write("d.idx", index);
      try {
        const IndexedDatasetReader reader(folder->path("d").string());
        opened = true;
        int64_t ids = 0;
        for (int64_t i = 0; i < reader.sequences(); ++i) ids += static_cast<int64_t>(reader.get(i).size());
        LONGHAUL_CHECK(ids == reader.tokens(), "{} ids of {}", ids, reader.tokens());
      } catch (const UserError&) {
      }
    }
    const size_t size = input.size();
    LONGHAUL_CHECK(opened == (size == 56 || size == 112 || size == 224), "a .bin of {} bytes opened: {}", size, opened);
  };
  return target;
}

}  // namespace longhaul::fuzz
