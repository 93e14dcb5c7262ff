// Messages over MPI. Every group has an MPI communicator of its own, so that its tags are its own. Progress calls MPI
// under its lock, but groups are made outside of it: MPI_THREAD_MULTIPLE.
#include <mpi.h>

#include <algorithm>
#include <exception>

#include "comm/direct_communicator.h"
#include "longhaul/comm/error.h"
#include "longhaul/comm/failure_note.h"
#include "longhaul/comm/mpi_session.h"
#include "longhaul/core/log.h"

namespace longhaul::comm {
namespace {

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommunicationError("MPI: {} failed: {}", what, std::string(text, static_cast<size_t>(length)));
}

class MpiTransfer final : public Transfer {
 public:
  explicit MpiTransfer(std::vector<MPI_Request> pieces) : pieces_(std::move(pieces)) {}
  ~MpiTransfer() override {
    for (MPI_Request& piece : pieces_) {
      if (piece == MPI_REQUEST_NULL) continue;
      MPI_Cancel(&piece);
      MPI_Request_free(&piece);
    }
  }
  bool done() override {
    int all = 0;
    check(MPI_Testall(static_cast<int>(pieces_.size()), pieces_.data(), &all, MPI_STATUSES_IGNORE), "a message");
    return all != 0;
  }

 private:
  std::vector<MPI_Request> pieces_;
};

class MpiTransport final : public Transport {
 public:
  // Owns `comm` unless it is MPI_COMM_WORLD.
  MpiTransport(MPI_Comm comm, size_t message_limit) : comm_(comm), message_limit_(message_limit) {
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  ~MpiTransport() override {
    if (comm_ != MPI_COMM_WORLD && std::uncaught_exceptions() == 0) MPI_Comm_free(&comm_);
  }

  std::unique_ptr<Transfer> send(const void* data, size_t bytes, int to, int tag) override {
    return pieces(bytes, [&](size_t offset, int count, MPI_Request* request) {
      check(MPI_Isend(static_cast<const char*>(data) + offset, count, MPI_BYTE, to, tag, comm_, request), "MPI_Isend");
    });
  }
  std::unique_ptr<Transfer> receive(void* data, size_t bytes, int from, int tag) override {
    return pieces(bytes, [&](size_t offset, int count, MPI_Request* request) {
      check(MPI_Irecv(static_cast<char*>(data) + offset, count, MPI_BYTE, from, tag, comm_, request), "MPI_Irecv");
    });
  }

  std::unique_ptr<Transport> subgroup(const std::vector<int>& members, int number) override {
    MPI_Group all = MPI_GROUP_NULL, some = MPI_GROUP_NULL;
    check(MPI_Comm_group(comm_, &all), "MPI_Comm_group");
    check(MPI_Group_incl(all, static_cast<int>(members.size()), members.data(), &some), "MPI_Group_incl");
    MPI_Comm comm = MPI_COMM_NULL;
    check(MPI_Comm_create_group(comm_, some, number, &comm), "MPI_Comm_create_group");
    MPI_Group_free(&some);
    MPI_Group_free(&all);
    return std::make_unique<MpiTransport>(comm, message_limit_);
  }

  void abort(int rank, const std::string& cause, int exit_code) override {
    leave_failure_note({rank, exit_code, cause});
    log::error("rank {} failed: {}", rank, cause);
    MPI_Abort(MPI_COMM_WORLD, exit_code);
  }

 private:
  template <typename Start>
  std::unique_ptr<Transfer> pieces(size_t bytes, Start start) {
    std::vector<MPI_Request> requests;
    for (size_t offset = 0; offset < bytes; offset += message_limit_) {
      requests.push_back(MPI_REQUEST_NULL);
      start(offset, static_cast<int>(std::min(message_limit_, bytes - offset)), &requests.back());
    }
    return std::make_unique<MpiTransfer>(std::move(requests));
  }

  MPI_Comm comm_;
  size_t message_limit_;
};

}  // namespace

MpiSession::MpiSession(int launched) {
  int provided = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    throw EnvironmentError("MPI cannot start. Start the ranks with mpirun or `llm-pretrain launch local`.");
  }
  if (provided < MPI_THREAD_MULTIPLE) {
    MPI_Finalize();
    throw EnvironmentError("this MPI gives no MPI_THREAD_MULTIPLE. Install Open MPI 4.1 or newer (libopenmpi-dev).");
  }
  if (const int known = size(); known < launched) {
    MPI_Finalize();
    throw EnvironmentError(
        "the launcher tells of {} ranks (OMPI_COMM_WORLD_SIZE, or with PMIx SLURM_STEP_NUM_TASKS), but MPI knows of {}: "
        "start the ranks with the mpirun of the Open MPI that this program was built with (`llm-pretrain doctor` names "
        "it), with `srun --mpi=pmix`, or with `llm-pretrain launch local`; where no launcher is meant, unset the "
        "variables that start with OMPI_ and PMIX_",
        launched, known);
  }
}

MpiSession::~MpiSession() {
  // Others may be stuck in operations that this rank will never join; MPI_Finalize would wait for them for ever.
  if (std::uncaught_exceptions() > 0) {
    MPI_Abort(MPI_COMM_WORLD, 1);
  } else {
    MPI_Finalize();
  }
}

int MpiSession::rank() const {
  int rank = 0;
  check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
  return rank;
}

int MpiSession::size() const {
  int size = 0;
  check(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  return size;
}

std::unique_ptr<Communicator> MpiSession::world(size_t message_limit) const {
  std::vector<int> members(static_cast<size_t>(size()));
  for (int r = 0; r < size(); ++r) members[static_cast<size_t>(r)] = r;
  return std::make_unique<DirectCommunicator>(std::make_shared<Progress>(),
                                              std::make_unique<MpiTransport>(MPI_COMM_WORLD, message_limit),
                                              std::move(members), rank(), "world", std::chrono::milliseconds(0));
}

}  // namespace longhaul::comm
