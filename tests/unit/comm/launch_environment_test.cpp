#include "comm/launch_environment.h"

#include <gtest/gtest.h>

#include <map>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

using Kind = LaunchEnvironment::Kind;

using Variables = std::map<std::string, std::string>;

GetVariable look_up(const Variables& variables) {
  return [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

LaunchEnvironment with(const Variables& variables) {
  return launch_environment(look_up(variables));
}

void EXPECT_REFUSED(const Variables& variables, const std::string& words) {
  try {
    with(variables);
    ADD_FAILURE() << "no error; wanted: " << words;
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(LaunchEnvironment, KnowsWhoStartedIt) {
  EXPECT_EQ(with({}).kind, Kind::single);
  EXPECT_EQ(with({{"OMPI_COMM_WORLD_SIZE", "4"}, {"RANK", "1"}}).kind, Kind::mpi);
  EXPECT_EQ(with({{"PMIX_RANK", "0"}, {"PMIX_NAMESPACE", "slurm.pmix.7.0"}, {"SLURM_PROCID", "0"}}).kind, Kind::mpi);
  EXPECT_EQ(with({{"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}).kind, Kind::single);
}

TEST(LaunchEnvironment, OfSeveralLaunchersTheOneThatStartedTheRanksCounts) {
  const Variables slurm{{"PMIX_RANK", "0"}, {"PMIX_NAMESPACE", "slurm.pmix.7.0"}, {"SLURM_STEP_NUM_TASKS", "4"}};
  const auto size = [](Variables all, const Variables& more) {
    all.insert(more.begin(), more.end());
    return with(all).size;
  };
  EXPECT_EQ(size(slurm, {}), 4);
  EXPECT_EQ(size(slurm, {{"WORLD_SIZE", "8"}}), 4) << "which a job script exports";
  EXPECT_EQ(size(slurm, {{"OMPI_COMM_WORLD_SIZE", "2"}}), 2) << "mpirun in a step of srun";
  Variables prun = slurm;
  prun["PMIX_NAMESPACE"] = "prterun-a-7@1";
  EXPECT_EQ(size(prun, {}), 1) << "not told";
  const LaunchEnvironment torchrun = with({{"OMPI_COMM_WORLD_SIZE", "1"},
                                           {"TORCHELASTIC_RUN_ID", "none"},
                                           {"RANK", "3"},
                                           {"WORLD_SIZE", "8"},
                                           {"MASTER_ADDR", "a"},
                                           {"MASTER_PORT", "29500"}});
  EXPECT_EQ(torchrun.kind, Kind::tcp) << "mpirun -n 1 torchrun";
  EXPECT_EQ(torchrun.size, 8);
  EXPECT_EQ(torchrun.rank, 3);
}

// A batch script is no rank, though Slurm numbers it 0; what it starts by other means than srun is.
TEST(LaunchEnvironment, RefusesABatchScriptOfSeveralTasks) {
  const Variables script{{"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}};
  EXPECT_REFUSED(script, "4 tasks (SLURM_NTASKS)");
  EXPECT_REFUSED(script, "put `srun --cpus-per-task=CORES` before the command");
  const auto started_by = [&](Variables more) {
    more.insert(script.begin(), script.end());
    return with(more).kind;
  };
  EXPECT_EQ(started_by({{"OMPI_COMM_WORLD_SIZE", "2"}}), Kind::mpi);
  EXPECT_EQ(started_by({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "29500"}}),
            Kind::tcp);
  EXPECT_EQ(started_by({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NODELIST", "a"}}),
            Kind::tcp)
      << "srun --ntasks=1";
}

// What `salloc` sets in the shell that it opens by itself (LaunchParameters=use_interactive_step): a step of one task,
// with a reserved number.
TEST(LaunchEnvironment, AShellOfSallocIsNoStep) {
  Variables shell{{"SLURM_JOB_ID", "137438953"},   {"SLURM_PROCID", "0"},        {"SLURM_STEP_NUM_TASKS", "1"},
                  {"SLURM_STEP_ID", "4294967290"}, {"SLURM_STEP_NODELIST", "a"}, {"SLURM_NTASKS", "1"}};
  EXPECT_EQ(with(shell).kind, Kind::single);
  shell["SLURM_NTASKS"] = "8";
  EXPECT_REFUSED(shell, "8 tasks");
  shell["MASTER_PORT"] = "29500";
  EXPECT_REFUSED(shell, "8 tasks");
  shell["SLURM_STEP_ID"] = "0";
  EXPECT_EQ(with(shell).kind, Kind::tcp) << "srun --ntasks=1";
}

TEST(LaunchEnvironment, RefusesABatchScriptOfSeveralNodes) {
  EXPECT_REFUSED((Variables{{"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"}, {"SLURM_JOB_NUM_NODES", "4"}}),
                 "4 nodes (SLURM_JOB_NUM_NODES)");
}

TEST(LaunchEnvironment, RefusesAnotherMpi) {
  Variables rank{{"PMI_RANK", "1"}, {"PMI_SIZE", "4"}};
  EXPECT_REFUSED(rank, "another MPI than Open MPI");
  EXPECT_EQ(with({{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}).kind, Kind::single);
  rank.insert({{"SLURM_JOB_ID", "200000000"},
               {"SLURM_PROCID", "1"},
               {"SLURM_STEP_NUM_TASKS", "4"},
               {"SLURM_STEP_ID", "0"},
               {"SLURM_STEP_NODELIST", "a"}});
  const LaunchEnvironment found = with(rank);
  EXPECT_EQ(found.kind, Kind::tcp) << "srun --mpi=pmi2";
  EXPECT_GE(found.port, 20000);
  EXPECT_LT(found.port, 32000);
}

TEST(LaunchEnvironment, TakesAnyLaunchersVariables) {
  const auto found = with({{"RANK", "3"}, {"WORLD_SIZE", "8"}, {"MASTER_ADDR", "node7"}, {"MASTER_PORT", "29500"}});
  EXPECT_EQ(found.kind, Kind::tcp);
  EXPECT_EQ(found.rank, 3);
  EXPECT_EQ(found.size, 8);
  EXPECT_EQ(found.host, "node7");
  EXPECT_EQ(found.port, 29500);
}

TEST(LaunchEnvironment, CountsTheProcesses) {
  const auto count = [](const Variables& variables) { return launched_ranks(look_up(variables)); };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({{"OMPI_COMM_WORLD_SIZE", "4"}}), 4);
  EXPECT_EQ(count({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), 2);
  EXPECT_EQ(count({{"SLURM_PROCID", "0"}, {"SLURM_STEP_NUM_TASKS", "8"}}), 8);
  EXPECT_EQ(count({{"PMI_RANK", "0"}, {"PMI_SIZE", "3"}}), 3);
  EXPECT_EQ(count({{"SLURM_NTASKS", "8"}}), 1) << "a batch script";
}

TEST(LaunchEnvironment, LeavesTorchrunItsPort) {
  EXPECT_EQ(with({{"RANK", "0"},
                  {"WORLD_SIZE", "2"},
                  {"MASTER_ADDR", "a"},
                  {"MASTER_PORT", "29500"},
                  {"TORCHELASTIC_USE_AGENT_STORE", "True"}})
                .port,
            29501);
}

TEST(LaunchEnvironment, TakesSlurmsVariables) {
  std::map<std::string, std::string> step{{"SLURM_PROCID", "2"},
                                          {"SLURM_STEP_NUM_TASKS", "4"},
                                          {"SLURM_JOB_ID", "11"},
                                          {"SLURM_STEP_ID", "3"},
                                          {"SLURM_STEP_NODELIST", "n[08-09]"}};
  const auto found = with(step);
  EXPECT_EQ(found.kind, Kind::tcp);
  EXPECT_EQ(found.rank, 2);
  EXPECT_EQ(found.size, 4);
  EXPECT_EQ(found.host, "n08");
  step["SLURM_STEP_ID"] = "4";
  EXPECT_NE(with(step).port, found.port);
}

TEST(LaunchEnvironment, RefusesWhatContradictsItself) {
  const std::map<std::string, std::string> good{
      {"RANK", "3"}, {"WORLD_SIZE", "8"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "29500"}};
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"RANK", "8"}, {"WORLD_SIZE", "two"}, {"MASTER_PORT", "70000"}, {"MASTER_ADDR", ""}}) {
    auto bad = good;
    bad[name] = value;
    EXPECT_THROW(with(bad), UserError) << name;
    if (name == "RANK" || name == "WORLD_SIZE") continue;
    bad.erase(name);
    EXPECT_THROW(with(bad), UserError) << name;
  }
}

TEST(FirstHost, ReadsSlurmsLists) {
  EXPECT_EQ(first_host("node1"), "node1");
  EXPECT_EQ(first_host("b,a"), "b");
  EXPECT_EQ(first_host("b,a[1-2]"), "b");
  EXPECT_EQ(first_host("gpu[03-07,9],cpu1"), "gpu03");
  EXPECT_EQ(first_host("gpu[4,9]"), "gpu4");
  EXPECT_EQ(first_host("rack[1-2]-x,z"), "rack1-x");
  EXPECT_EQ(first_host(""), "");
}

}  // namespace
}  // namespace longhaul::comm
