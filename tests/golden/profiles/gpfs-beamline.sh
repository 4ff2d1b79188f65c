#!/bin/bash -l

#SBATCH -J filewatcher
#SBATCH -p live
#SBATCH -A beamline
#SBATCH -n 1
#SBATCH --cpus-per-task=20
#SBATCH --mem=70144M
#SBATCH -t 12:00:00
#SBATCH --no-requeue
#SBATCH --chdir=/tmp
#SBATCH --output=/gpfs/log/filewatcher/filewatcher-%j.log
#SBATCH --qos=beamline
#SBATCH --exclusive=user
#SBATCH --constraint=icelake
export MALLOC_MMAP_MAX_=0
export MALLOC_TRIM_THRESHOLD_=8589934592
export OMP_NUM_THREADS=1
export MKL_NUM_THREADS=1
export OPENBLAS_NUM_THREADS=1
export HDF5_USE_FILE_LOCKING=FALSE
module load dials
export OMP_PROC_BIND=FALSE
/gpfs/sw/filewatcher/bin/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name slurm-$SLURM_JOB_ID --nthreads 1 --memory-limit 3.00GiB --nworkers 20 --nanny --death-timeout 60 --local-directory "/scratch/${USER:?is not set on this node}" --no-dashboard --lifetime 42960s --lifetime-stagger 120s --interface ib0
