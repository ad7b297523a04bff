class Dataset:  # placeholder until the datasets work lands (minutes)
    pass
