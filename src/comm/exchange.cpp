#include "longhaul/comm/exchange.h"

#include <algorithm>
#include <exception>

#include "longhaul/comm/error.h"

namespace longhaul::comm {

std::vector<std::string> all_gather_text(Communicator* ranks, std::string_view text) {
  if (ranks == nullptr) return {std::string(text)};
  const int64_t length = static_cast<int64_t>(text.size());
  std::vector<int64_t> lengths(ranks->size());
  ranks->all_gather({&length, 1, DataType::i64}, {lengths.data(), ranks->size(), DataType::i64}).wait();
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::string padded(text);
  padded.resize(longest);
  std::string all(longest * ranks->size(), '\0');
  ranks->all_gather({padded.data(), longest, DataType::u8}, {all.data(), longest * ranks->size(), DataType::u8}).wait();
  std::vector<std::string> texts;
  for (int rank = 0; rank < ranks->size(); ++rank) texts.push_back(all.substr(rank * longest, lengths[rank]));
  return texts;
}

std::string text_of_leader(Communicator* ranks, std::string_view text) {
  return all_gather_text(ranks, leads(ranks) ? text : std::string_view())[0];
}

bool any_of(Communicator* ranks, bool value) {
  if (ranks == nullptr) return value;
  int32_t flag = value ? 1 : 0;
  ranks->all_reduce({&flag, 1, DataType::i32}, ReduceOp::max).wait();
  return flag != 0;
}

void all_or_none(Communicator* ranks, const std::function<void()>& body) {
  std::exception_ptr own;
  std::string cause;
  try {
    body();
  } catch (const CommunicationError&) {
    throw;  // the others know, or can't be told
  } catch (const std::exception& error) {
    own = std::current_exception();
    cause = error.what();
  }
  if (ranks != nullptr && any_of(ranks, own != nullptr)) {
    const std::vector<std::string> causes = all_gather_text(ranks, own ? "!" + cause : "");
    const auto first = std::find_if(causes.begin(), causes.end(), [](const std::string& c) { return !c.empty(); });
    const auto rank = first - causes.begin();
    if (rank != ranks->rank() && (!own || "!" + cause == *first)) {
      throw AgreedFailure("rank {} failed: {}", rank, first->substr(1));
    }
  }
  if (own) std::rethrow_exception(own);
}

}  // namespace longhaul::comm
