// Lines of JSON as `prepare` reads them: cut into blocks, each line parsed for its texts.
#include <memory>

#include "data/prepare/block_reader.h"
#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/data/jsonl.h"
#include "scratch_folder.h"

namespace longhaul::fuzz {
namespace {

// The fast reader and the plain one have the same view of every line.
void read_lines(const TextBlock& block, const std::vector<std::string>& keys) {
  KeyTexts texts, fast_texts;
  JsonLineReader fast(keys);
  for (std::string_view rest = block.text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const auto wrong = parse_json_line(line, keys, texts);
    LONGHAUL_CHECK(fast.read(line, fast_texts) == wrong, "the fast reader has another view");
    if (!wrong) {
      LONGHAUL_CHECK(texts.size() == keys.size(), "{} values for {} keys", texts.size(), keys.size());
      LONGHAUL_CHECK(fast_texts == texts, "the fast reader has other texts");
    }
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
}

}  // namespace

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  target.seeds = {
      "{\"text\": \"one\"}\n{\"text\": \"two\\n\\u00e9 \xC3\xA9\", \"id\": 7}\n",
      "{\"id\": {\"text\": [1, 2]}, \"text\": [\"a\", \"b\"], \"title\": \"t\"}\r\n{\"title\": \"\", \"text\": []}",
      "\n{\"text\": \"a\"} \n\t\n{\"text\": \"\\ud83d\\ude42\", \"text\": \"again\"}\n\n",
  };
  target.words = {"text",
                  "title",
                  "\"text\"",
                  "\"text\":",
                  "{",
                  "}",
                  "[",
                  "]",
                  ":",
                  ",",
                  "\n",
                  "\r\n",
                  "\\u0000",
                  "\\ud800",
                  "\\\"",
                  "\"",
                  "\xEF\xBB\xBF",
                  "\xC0\x80",
                  "\xED\xA0\x80",
                  "null",
                  "{\"text\":\"x\"}\n"};
  target.read = [folder](std::string_view input) {
    const InputFile file{.path = folder->write("a.jsonl", input), .kind = InputKind::json_lines};
    BlockReader reader({{.file = file}});
    int64_t bytes = 0;
    for (TextBlock block; reader.next(block); bytes += block.bytes) {
      LONGHAUL_CHECK(block.place.byte == bytes, "a block at byte {}, not {}", block.place.byte, bytes);
      read_lines(block, {"text"});
      read_lines(block, {"text", "title"});
    }
    LONGHAUL_CHECK(bytes <= static_cast<int64_t>(input.size()), "{} bytes of {}", bytes, input.size());
  };
  return target;
}

}  // namespace longhaul::fuzz
