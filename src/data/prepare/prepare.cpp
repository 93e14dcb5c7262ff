#include "longhaul/data/prepare.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "data/prepare/check_options.h"
#include "data/prepare/key_output.h"
#include "data/prepare/made_before.h"
#include "data/prepare/quarantine.h"
#include "data/publish.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/unfinished.h"
#include "longhaul/data/ordered_workers.h"

namespace longhaul {
namespace {

constexpr size_t kMostHashes = size_t{1} << 20;  // for the duplicate counters of all keys together

// An error, or a signal, that leaves sealed work behind.
class Suspended : public Error {
 public:
  Suspended(const std::string& what, int exit_code) : Error(what), exit_code_(exit_code) {}
  int exit_code() const noexcept override { return exit_code_; }

 private:
  int exit_code_;
};

int64_t worker_count(const PrepareOptions& options) {
  return options.workers > 0 ? options.workers : std::max<int64_t>(1, std::thread::hardware_concurrency());
}

// Bytes on the disk; 0 when that isn't known beforehand.
int64_t bytes_of(const std::vector<InputSlice>& slices) {
  int64_t bytes = 0;
  for (const InputSlice& slice : slices) {
    if (slice.file.kind == InputKind::standard_input) return 0;
    bytes += (slice.end > 0 ? slice.end : slice.file.bytes) - slice.begin;
  }
  return bytes;
}

class Preparation {
 public:
  Preparation(const PrepareOptions& options, const PrepareTokenizer& tokenizer, const std::vector<InputFile>& files,
              const PrepareIdentity& identity)
      : options_(options),
        tokenizer_(tokenizer),
        files_(files),
        identity_(identity),
        slices_(slices_of(files, options.partition)),
        prefix_(partition_prefix(options)),
        work_(prefix_, identity, name_of_policy(options)) {
    total_bytes_ = bytes_of(slices_);
    sealable_ = can_be_read_again(files);
    if (!sealable_ && work_.journal()) work_.discard_journal();  // of other text, whatever its options
  }

  PrepareReport run() {
    if (const auto before = replaces_nothing()) return *before;
    work_.discard_others();
    try {
      if (!work_.journal() || !work_.journal()->complete) tokenize();
      publish();
    } catch (const Error& error) {
      if (!work_.journal() || !sealable_) {
        work_.remove();
        throw;
      }
      const bool stopped = dynamic_cast<const Interrupted*>(&error) != nullptr;
      throw Suspended(fmt::format("{}. {} of {} are done and kept in {}: the same command goes on from there",
                                  stopped ? "stopped by a signal" : error.what(),
                                  format_bytes(static_cast<double>(work_.journal()->bytes)),
                                  format_bytes(static_cast<double>(total_bytes_)), work_.path().string()),
                      error.exit_code());
    }
    report_.files = static_cast<int64_t>(files_.size());
    if (total_bytes_ > 0) report_.bytes = total_bytes_;
    return report_;
  }

 private:
  using Workers = OrderedWorkers<TextBlock, TokenizedBlock>;

  std::string dataset(const std::string& key) const { return dataset_of(options_, key); }

  // What is there already, if it is what this run would make. Throws UserError where it is something else that the user
  // didn't say to replace.
  std::optional<PrepareReport> replaces_nothing() {
    const auto& journal = work_.journal();
    if (options_.overwrite || (journal && journal->complete)) return std::nullopt;
    const MadeBefore before = made_before(options_, identity_, files_);
    if (before.report) {
      if (journal) work_.discard_journal();  // of another that was to replace it
      work_.leave();
      return before.report;
    }
    try {
      for (const std::string& key : options_.json_keys) {
        const auto reason = before.reasons.find(dataset(key));
        require_new(dataset(key), reason != before.reasons.end() ? reason->second : "");
      }
    } catch (const UserError&) {
      work_.leave();
      throw;
    }
    return std::nullopt;
  }

  size_t most_hashes() const { return std::max<size_t>(1024, kMostHashes / options_.json_keys.size()); }
  std::filesystem::path quarantine_file() const { return work_.file("quarantine.jsonl"); }

  // The outputs as they were sealed, or new ones.
  void open_outputs() {
    const TokenType type = token_type_for_vocabulary(tokenizer_.vocab_size);
    const auto quarantine = [&](int64_t lines, int64_t bytes) {
      const bool wanted = options_.on_bad_line == OnBadLine::quarantine;
      quarantine_ =
          std::make_unique<Quarantine>(wanted ? std::optional(quarantine_file()) : std::nullopt, lines, bytes);
    };
    if (const auto& journal = work_.journal()) {
      try {
        for (const SealedKey& key : journal->keys) {
          outputs_.push_back(std::make_unique<KeyOutput>(work_, type, key, journal->seal, most_hashes()));
        }
        quarantine(journal->bad_lines, journal->quarantine_bytes);
        done_ = *journal;
        done_.overwrites |= options_.overwrite;
        report_.bytes = report_.resumed_bytes = journal->bytes;
        log::info("going on from {} of {}, which an earlier run sealed in {}",
                  format_bytes(static_cast<double>(done_.bytes)), format_bytes(static_cast<double>(total_bytes_)),
                  work_.path().string());
        return;
      } catch (const EnvironmentError& error) {
        log::warning("{}; starting anew", error.what());
        outputs_.clear();
        work_.discard_journal();
      }
    }
    for (const std::string& key : options_.json_keys) {
      outputs_.push_back(std::make_unique<KeyOutput>(work_, type, key, dataset(key), most_hashes()));
    }
    quarantine(0, 0);
    done_.format = PrepareJournal::kFormat;
    done_.identity = identity_;
    done_.on_bad_line = name_of_policy(options_);
    done_.overwrites = options_.overwrite;
  }

  std::vector<Workers::Worker> make_workers() const {
    std::vector<Workers::Worker> workers;
    for (int64_t i = 0; i < worker_count(options_); ++i) {
      auto worker = std::make_shared<BlockTokenizer>(
          tokenizer_.make_encoder(options_.add_special_tokens),
          BlockTokenizer::Options{.keys = options_.json_keys,
                                  .sentences = options_.sentences,
                                  .eod_id = options_.append_eod ? tokenizer_.eod_id : std::nullopt,
                                  .on_bad_line = options_.on_bad_line,
                                  .partition = options_.partition});
      workers.emplace_back([worker](TextBlock& block, TokenizedBlock& out) { worker->tokenize(block, out); });
    }
    return workers;
  }

  void tokenize() {
    open_outputs();
    BlockReader reader(slices_, done_.position);
    std::vector<Workers::Worker> workers = make_workers();
    const auto window = static_cast<int64_t>(2 * workers.size() + 2);
    Workers pipeline([&](TextBlock& block) { return reader.next(block); }, std::move(workers), window);

    constexpr double kMegabyte = 1e6;
    std::optional<ProgressBar> bar;
    const int64_t rest = total_bytes_ - report_.resumed_bytes;
    if (options_.show_progress)
      bar.emplace("preparing", static_cast<double>(std::max<int64_t>(rest, 0)) / kMegabyte, "MB");
    TokenizedBlock block;
    while (pipeline.next(block)) {
      throw_if_interrupted();
      show_first_ids(block);
      for (size_t k = 0; k < outputs_.size(); ++k) outputs_[k]->add(block.keys[k]);
      add_note(block);
      quarantine_->add(block.bad_lines);
      report_.bytes += block.bytes;
      if (bar) bar->update(static_cast<double>(report_.bytes - report_.resumed_bytes) / kMegabyte, note_);
      done_.position = block.after;
      unsealed_bytes_ += block.text_bytes;
      if (sealable_ && unsealed_bytes_ >= options_.seal_bytes) seal();
    }
    if (bar) bar->finish(note_);
    quarantine_->finish();
    check_not_empty();
    for (const auto& output : outputs_) {
      output->complete({.tokenizer_fingerprint = tokenizer_.fingerprint,
                        .vocab_size = tokenizer_.vocab_size,
                        .eod_id = tokenizer_.eod_id,
                        .append_eod = options_.append_eod,
                        .add_special_tokens = options_.add_special_tokens,
                        .sentences = options_.sentences ? options_.sentences->fingerprint() : "",
                        .partition = options_.partition.count > 1 ? std::optional(options_.partition) : std::nullopt,
                        .corpus = corpus_digest(files_),
                        .made_of = sealable_ ? made_of(options_, identity_, quarantine_->lines()) : PrepareIdentity()});
    }
    done_.complete = true;
    seal();
  }

  void seal() {
    unsealed_bytes_ = 0;
    ++done_.seal;
    done_.bytes = report_.bytes;
    quarantine_->sync();
    done_.bad_lines = quarantine_->lines();
    done_.quarantine_bytes = quarantine_->bytes();
    done_.keys.clear();
    for (const auto& output : outputs_) done_.keys.push_back(output->seal(done_.seal));
    sync_folder(work_.path());
    work_.seal(done_);
    for (const auto& output : outputs_) output->forget_seals_before(done_.seal);
  }

  void publish() {
    const PrepareJournal& journal = *work_.journal();
    const bool overwrite = options_.overwrite || journal.overwrites;
    for (const SealedKey& key : journal.keys) KeyOutput::publish(work_, key.counts, overwrite);
    const std::filesystem::path quarantine = prefix_ + ".quarantine.jsonl";
    if (journal.quarantine_bytes > 0) {
      publish_file(quarantine_file(), quarantine);
      report_.quarantine = quarantine.string();
    } else {
      std::error_code ignored;
      std::filesystem::remove(quarantine, ignored);  // of an earlier run
    }
    report_.bad_lines = journal.bad_lines;
    for (const SealedKey& key : journal.keys) report_.datasets.push_back(key.counts);
    work_.remove();
  }

  // A partition may hold nothing; what is merged must not.
  void check_not_empty() const {
    if (options_.partition.count > 1) return;
    for (const auto& output : outputs_) {
      const PreparedDataset& made = output->report();
      if (made.documents == 0) {
        throw UserError(
            "{} holds no documents ({} files, {} bytes, {} bad lines); nothing was written; name files with text",
            fmt::join(options_.inputs, ", "), files_.size(), total_bytes_, quarantine_->lines());
      }
      if (made.tokens == 0) {
        throw UserError("all {} documents are empty under the key \"{}\"; nothing was written", made.documents,
                        made.key);
      }
    }
  }

  // A first token that the tokenizer adds of its own accord is easily overlooked.
  void show_first_ids(const TokenizedBlock& block) {
    if (first_ids_shown_ || done_.position.document > 0 || block.keys.front().lengths.empty()) return;
    first_ids_shown_ = true;
    if (!options_.add_special_tokens) return;
    std::vector<int32_t> bare, around;
    tokenizer_.make_encoder(true)("", around);
    tokenizer_.make_encoder(false)("", bare);
    if (around == bare) return;
    const auto count = std::min<size_t>(8, static_cast<size_t>(block.keys.front().lengths.front()));
    std::vector<std::string> shown;
    for (size_t i = 0; i < count; ++i) {
      const int32_t id = block.keys.front().tokens[i];
      shown.push_back(tokenizer_.token_text ? fmt::format("{} \"{}\"", id, tokenizer_.token_text(id))
                                            : fmt::format("{}", id));
    }
    log::info(
        "the tokenizer puts special tokens around each text (--no-special-tokens leaves them out); the first document "
        "begins with the ids {}",
        fmt::join(shown, ", "));
  }

  void add_note(const TokenizedBlock& block) {
    documents_ += block.keys.front().counts.documents;
    tokens_ += block.keys.front().counts.tokens;
    note_ = fmt::format("{} documents, ", format_count(static_cast<double>(documents_)));
    if (options_.sentences) {
      sequences_ += block.keys.front().counts.sequences;
      note_ += fmt::format("{} sentences, ", format_count(static_cast<double>(sequences_)));
    }
    note_ += fmt::format("{} tokens", format_count(static_cast<double>(tokens_)));
  }

  const PrepareOptions& options_;
  const PrepareTokenizer& tokenizer_;
  const std::vector<InputFile>& files_;
  const PrepareIdentity& identity_;
  std::vector<InputSlice> slices_;
  std::string prefix_;  // with the partition
  WorkFolder work_;
  const Unfinished unfinished_;
  int64_t total_bytes_ = 0;
  bool sealable_ = true;  // standard input can't be read again
  std::vector<std::unique_ptr<KeyOutput>> outputs_;
  std::unique_ptr<Quarantine> quarantine_;
  PrepareJournal done_;  // what a seal would say
  int64_t unsealed_bytes_ = 0;
  bool first_ids_shown_ = false;
  int64_t documents_ = 0;
  int64_t sequences_ = 0;
  int64_t tokens_ = 0;
  std::string note_;
  PrepareReport report_;
};

}  // namespace

PrepareReport prepare(const PrepareOptions& options, const PrepareTokenizer& tokenizer) {
  const auto start = std::chrono::steady_clock::now();
  check_options(options, tokenizer);
  const std::vector<InputFile> files = find_inputs(options.inputs, options.output_prefix, options.text_documents);
  check_files(options, files);
  const PrepareIdentity identity = identity_of(options, tokenizer, files);
  // Without a folder to work in, since this one may be read-only. Preparation looks again when it has the lock.
  if (!options.overwrite && !std::filesystem::exists(WorkFolder::path_of(partition_prefix(options)))) {
    if (auto before = made_before(options, identity, files); before.report) return *before.report;
  }
  PrepareReport report = Preparation(options, tokenizer, files, identity).run();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace longhaul
