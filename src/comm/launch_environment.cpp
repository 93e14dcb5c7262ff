#include "comm/launch_environment.h"

#include <charconv>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

template <typename Number = int>
Number number(const GetVariable& get, const char* name) {
  const auto text = get(name);
  if (!text) {
    throw UserError(
        "the environment variable {} is not set. {}", name,
        std::string_view(name).starts_with("SLURM_")
            ? "Slurm's srun sets it; without Slurm, set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT instead."
            : "A launcher must set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.");
  }
  Number value = 0;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (end != text->data() + text->size() || failed == std::errc::invalid_argument)
    throw UserError("the environment variable {} is \"{}\", which is no whole number.", name, *text);
  if (failed != std::errc()) throw UserError("the environment variable {} is \"{}\", which is too large.", name, *text);
  return value;
}

int number_or(const GetVariable& get, const char* name, int absent) {
  return get(name) ? number(get, name) : absent;
}

LaunchEnvironment checked(LaunchEnvironment found, const char* rank_name, const char* size_name) {
  if (found.size < 1 || found.rank < 0 || found.rank >= found.size)
    throw UserError("{}={} and {}={} do not fit together: ranks go from 0 to one less than the size.", rank_name,
                    found.rank, size_name, found.size);
  return found;
}

LaunchEnvironment from_torch_style_variables(const GetVariable& get) {
  LaunchEnvironment found{
      LaunchEnvironment::Kind::tcp, number(get, "WORLD_SIZE"), number(get, "RANK"), {}, number(get, "MASTER_PORT")};
  found.host = get("MASTER_ADDR").value_or("");
  if (found.host.empty())
    throw UserError("the environment variable MASTER_ADDR is not set. It names the machine of rank 0.");
  if (get("TORCHELASTIC_USE_AGENT_STORE") == "True") ++found.port;  // torchrun itself listens on MASTER_PORT
  if (found.port < 1 || found.port > 65535)
    throw UserError("MASTER_PORT={} is no port: choose one from 1024 to 65535.", found.port);
  return checked(std::move(found), "RANK", "WORLD_SIZE");
}

LaunchEnvironment from_slurm(const GetVariable& get) {
  LaunchEnvironment found{
      LaunchEnvironment::Kind::tcp, number(get, "SLURM_STEP_NUM_TASKS"), number(get, "SLURM_PROCID"), {}, 0};
  found.host =
      get("MASTER_ADDR").value_or(first_host(get("SLURM_STEP_NODELIST").value_or(get("SLURM_NODELIST").value_or(""))));
  if (found.host.empty())
    throw UserError("Slurm names no nodes (SLURM_STEP_NODELIST). Set MASTER_ADDR to the machine of rank 0.");
  // Jobs that share a machine get ports of their own.
  found.port = get("MASTER_PORT") ? number(get, "MASTER_PORT")
                                  : 20000 + static_cast<int>((number<int64_t>(get, "SLURM_JOB_ID") * 16 +
                                                              number<int64_t>(get, "SLURM_STEP_ID") % 16) %
                                                             12000);
  return checked(std::move(found), "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
}

// mpirun, or what starts processes with PMIx: of the latter Slurm tells of how many.
std::optional<LaunchEnvironment> from_mpi_launcher(const GetVariable& get) {
  LaunchEnvironment found{LaunchEnvironment::Kind::mpi, 1, 0, {}, 0};
  if (get("OMPI_COMM_WORLD_SIZE")) {
    found.size = number(get, "OMPI_COMM_WORLD_SIZE");
    return found;
  }
  if (!get("PMIX_RANK") || !get("PMIX_NAMESPACE")) return std::nullopt;
  if (get("PMIX_NAMESPACE")->starts_with("slurm.")) found.size = number_or(get, "SLURM_STEP_NUM_TASKS", 1);
  return found;
}

// Whether srun has started this process as one of a step's tasks. A batch script has no step's number, or a reserved
// one; a shell that salloc opens has a reserved one.
bool is_task_of_slurm_step(const GetVariable& get) {
  constexpr int64_t kFirstReservedStep = 0xfffffff0;
  if (!get("SLURM_PROCID") || !get("SLURM_STEP_NUM_TASKS")) return false;
  return !get("SLURM_STEP_ID") || number<int64_t>(get, "SLURM_STEP_ID") < kFirstReservedStep;
}

// In a batch script, or a shell of salloc, Slurm tells of the job's tasks but not of a step's: whatever runs there
// without srun is none of the ranks, and would train alone on what was asked for all.
void refuse_a_job_without_a_step(const GetVariable& get) {
  if (!get("SLURM_JOB_ID")) return;
  const int tasks = number_or(get, "SLURM_NTASKS", 1), nodes = number_or(get, "SLURM_JOB_NUM_NODES", 1);
  if (tasks <= 1 && nodes <= 1) return;
  throw UserError(
      "this Slurm job has {}, but nothing has started its tasks, and this process would be the only rank: put "
      "`srun --cpus-per-task=CORES` before the command, with the cores of a rank, or `srun --nodes=1 --ntasks=1 --cpus-per-task=CORES` if one rank is meant",
      tasks > 1 ? fmt::format("{} tasks (SLURM_NTASKS)", tasks) : fmt::format("{} nodes (SLURM_JOB_NUM_NODES)", nodes));
}

// MPICH, Intel MPI and MVAPICH, which we are not built with. Every rank would take itself for the only one.
void refuse_another_mpi(const GetVariable& get) {
  if (!get("PMI_RANK") || !get("PMI_SIZE")) return;
  if (const int size = number(get, "PMI_SIZE"); size > 1) {
    throw UserError(
        "another MPI than Open MPI has started this process, as one of {} (PMI_SIZE): use Open MPI's mpirun, `srun`, or a launcher that sets "
        "RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT",
        size);
  }
}

}  // namespace

LaunchEnvironment launch_environment(const GetVariable& get) {
  if (get("TORCHELASTIC_RUN_ID")) return from_torch_style_variables(get);  // torchrun, whoever started that
  if (const auto found = from_mpi_launcher(get)) return *found;
  if (get("RANK") || get("WORLD_SIZE")) return from_torch_style_variables(get);
  if (is_task_of_slurm_step(get)) return from_slurm(get);
  refuse_another_mpi(get);
  refuse_a_job_without_a_step(get);
  return {};
}

int launched_ranks(const GetVariable& get) {
  if (get("TORCHELASTIC_RUN_ID")) return number(get, "WORLD_SIZE");
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "WORLD_SIZE"}) {
    if (get(name)) return number(get, name);
  }
  if (is_task_of_slurm_step(get)) return number(get, "SLURM_STEP_NUM_TASKS");
  return number_or(get, "PMI_SIZE", 1);
}

std::string first_host(const std::string& list) {
  const size_t bracket = list.find('['), comma = list.find(',');
  if (bracket == std::string::npos || comma < bracket) return list.substr(0, comma);
  const size_t end = list.find_first_of(",-]", bracket + 1), close = list.find(']', bracket);
  if (end == std::string::npos || close == std::string::npos) return "";
  const size_t next = list.find_first_of(",", close);
  return list.substr(0, bracket) + list.substr(bracket + 1, end - bracket - 1) +
         list.substr(close + 1, next == std::string::npos ? next : next - close - 1);
}

}  // namespace longhaul::comm
