// Which files `prepare` reads, in which order, what is in them, and which of it a partition takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "longhaul/data/prepare.h"

namespace longhaul {

// JSON lines; a file that is one document; a file each line of which is one; JSON lines from standard input.
enum class InputKind { json_lines, text, text_lines, standard_input };

struct InputFile {
  std::filesystem::path path;
  InputKind kind = InputKind::json_lines;
  bool compressed = false;  // by its name; the content has the last word
  int64_t bytes = 0;        // on the disk; 0 for standard input
  int64_t changed_ns = 0;   // when it was last written
};

// ".csv" of notes.csv and of notes.csv.gz.
std::string unpacked_extension(const InputFile& file);

// Each input is a file, a glob, a folder (all its files, recursively) or "-" for JSON lines from standard
// input. The order is that of the inputs, sorted by path within a glob or a folder. Files that end in .jsonl,
// .json or .ndjson hold JSON lines, all others are plain text; .gz or .zst may follow. What `output_prefix`
// names, if not empty, is left out of folders. Throws UserError for inputs that match nothing, can't be read or appear
// twice.
std::vector<InputFile> find_inputs(const std::vector<std::string>& inputs, const std::string& output_prefix,
                                   TextDocuments text_documents = TextDocuments::files);

// The lines of a file that begin in [begin, end), in bytes; all of a file that can't be cut.
struct InputSlice {
  InputFile file;
  int64_t begin = 0;
  int64_t end = 0;  // 0: to the end
};

// What a partition reads: all of it when documents are dealt round robin, otherwise its share of the bytes, where
// JSON lines and text lines are cut between lines and all else belongs to the partition in which it begins.
std::vector<InputSlice> slices_of(const std::vector<InputFile>& files, const Partition& partition);

// Identifies the inputs on this machine, from their kinds, paths, sizes and times, in order.
std::string inputs_digest(const std::vector<InputFile>& files);
// Identifies them on any machine, from kinds, names without folders, and sizes.
std::string corpus_digest(const std::vector<InputFile>& files);

}  // namespace longhaul
