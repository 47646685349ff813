# Reference values for contrasts of cell means with clustered people. Run from the folder that holds
# this file: Rscript clusters.R. Packages: clubSandwich, jsonlite.
suppressPackageStartupMessages({library(clubSandwich); library(jsonlite)})

# Made from a fixed rule, so that the tests can make the same data. `streets` in each site, of
# unequal size; the same streets answer both waves unless `apart`.
make <- function(streets, apart = FALSE) {
  rows <- do.call(rbind, lapply(0:3, function(cell) {
    site <- cell %/% 2; wave <- cell %% 2
    do.call(rbind, lapply(0:(streets - 1), function(s) {
      size <- 3 + (5 * s + 3 * cell) %% 7
      i <- 0:(size - 1)
      street <- s + streets * site + if (apart) 100 * wave else 0
      data.frame(cell, street, y = 1 + ((7 * s + 4 * site) %% 11) / 5 + ((3 * i^2 + 5 * i + s + cell) %% 13) / 6 +
                   0.3 * (cell == 3), w = 0.4 + ((i * 13 + 5 * s + cell) %% 17) / 9)
    }))
  }))
  rows$cell <- factor(rows$cell)
  rows
}
test <- function(data, weighted, cluster = data$street) {
  data$site <- as.integer(data$cell) > 2
  data$wave <- as.integer(data$cell) %in% c(2, 4)
  fit <- if (weighted) lm(y ~ site * wave, data, weights = w) else lm(y ~ site * wave, data)
  one <- "siteTRUE:waveTRUE"
  found <- coef_test(fit, vcov = "CR2", cluster = cluster, test = "Satterthwaite")[one, ]
  ends <- conf_int(fit, vcov = "CR2", cluster = cluster, test = "Satterthwaite")[one, ]
  list(estimate = found$beta, se = found$SE, df = found$df_Satt, p = found$p_Satt,
       low = ends$CI_L, high = ends$CI_U)
}
eight <- make(8); apart <- make(8, TRUE); three <- make(3)
result <- list(
  eight = test(eight, FALSE), eight_weighted = test(eight, TRUE),
  apart = test(apart, FALSE), apart_weighted = test(apart, TRUE),
  three = test(three, FALSE), three_weighted = test(three, TRUE),
  people = test(eight, TRUE, seq_len(nrow(eight))),
  versions = list(R = as.character(getRversion()),
                  clubSandwich = as.character(packageVersion("clubSandwich")))
)
write_json(result, "clusters.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
